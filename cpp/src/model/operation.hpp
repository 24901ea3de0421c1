// The operations of a step, each a kernel and the places in a stream's memory that it reads and writes.
//
// Places are offsets in elements, or `incoming`: what comes into the step, the features or the embedding's
// row, which is read where it lies. Nothing here allocates, locks, throws or calls the system.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/step/step_table.hpp"
#include "src/model/positions.hpp"

namespace weft {

/// Where one attention keeps keys and values: rings of `slots` steps, [K, slots, D] each. bias: what is added
/// to the scores, by distance: see Program::fill.
struct CacheLayout {
  int64_t slots, keys, values, bias, workspace;
};

/// One step of one stream.
template <class T>
struct Frame {
  const T* x;
  T* memory;
  const CacheLayout* caches;
  int64_t position;  // steps before this one
};

inline constexpr int64_t incoming = -1;

template <class T>
const T* read(const Frame<T>& frame, int64_t place) {
  return place == incoming ? frame.x : frame.memory + place;
}

/// One of those below.
template <class T>
struct Operation {
  void (*run)(const void* kind, const Frame<T>&) noexcept;
  std::shared_ptr<const void> kind;

  template <class Kind>
  explicit Operation(Kind made)
      : run([](const void* kind, const Frame<T>& frame) noexcept {
          static_cast<const Kind*>(kind)->run(frame);
        }),
        kind(std::make_shared<const Kind>(std::move(made))) {}
};

template <class T>
struct CellOperation {
  const StepCell<T>* cell;
  StepShape shape;
  const T* packed;
  int64_t in, state, scratch;

  void run(const Frame<T>& f) const noexcept {
    cell->step(shape, packed, read(f, in), f.memory + state, f.memory + scratch);
  }
};

template <class T>
struct LinearOperation {
  void (*kernel)(int64_t inputs, int64_t outputs, const T* packed, const T* x, T* y);
  int64_t inputs, outputs;
  const T* packed;
  int64_t in, out;

  void run(const Frame<T>& f) const noexcept { kernel(inputs, outputs, packed, read(f, in), f.memory + out); }
};

template <class T>
struct LayerNormOperation {
  void (*kernel)(int64_t size, const T* x, const T* weight, const T* bias, double eps, T* y);
  int64_t size;
  const T *weight, *bias;
  double eps;
  int64_t in, out;

  void run(const Frame<T>& f) const noexcept { kernel(size, read(f, in), weight, bias, eps, f.memory + out); }
};

/// An activation or swiglu. size: of y.
template <class T>
struct PointwiseOperation {
  void (*kernel)(int64_t size, const T* x, T* y);
  int64_t size, in, out;

  void run(const Frame<T>& f) const noexcept { kernel(size, read(f, in), f.memory + out); }
};

/// out = a + b; out may be b
template <class T>
struct SumOperation {
  int64_t size, a, b, out;

  void run(const Frame<T>& f) const noexcept {
    const T *left = read(f, a), *right = read(f, b);
    T* sum = f.memory + out;
    for (int64_t i = 0; i < size; ++i) sum[i] = left[i] + right[i];
  }
};

/// out = x + table[position]
template <class T>
struct LearnedPositionsOperation {
  int64_t size;
  const T* table;  // [places, size]
  int64_t in, out;

  void run(const Frame<T>& f) const noexcept {
    const T *x = read(f, in), *row = table + f.position * size;
    for (int64_t i = 0; i < size; ++i) f.memory[out + i] = x[i] + row[i];
  }
};

/// out = x + p, p[2i] = sin(position f_i), p[2i + 1] = cos of it
template <class T>
struct SinusoidalPositionsOperation {
  std::vector<double> frequencies;  // [(size + 1) / 2]
  int64_t size, in, out;

  void run(const Frame<T>& f) const noexcept {
    const T* x = read(f, in);
    T* y = f.memory + out;
    for (int64_t i = 0; i < size; i += 2) {
      const double angle = double(f.position) * frequencies[size_t(i / 2)];
      y[i] = x[i] + T(std::sin(angle));
      if (i + 1 < size) y[i + 1] = x[i + 1] + T(std::cos(angle));
    }
  }
};

/// out = [cos(position f); sin(position f)], once a step for all attentions that turn alike
template <class T>
struct AnglesOperation {
  std::vector<double> frequencies;  // [P]
  int64_t out;

  void run(const Frame<T>& f) const noexcept {
    const size_t pairs = frequencies.size();
    T* to = f.memory + out;
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = double(f.position) * frequencies[i];
      to[i] = T(std::cos(angle));
      to[pairs + i] = T(std::sin(angle));
    }
  }
};

/// The step's query reads from the steps so far, itself included: out [N, D] of projected [N + 2 K, D].
template <class T>
struct AttentionOperation {
  void (*kernel)(const AttentionForward<T>&);
  AttentionArguments<T> problem;  // but for what is known at run time
  size_t cache;                   // which
  int64_t projected, normalizer, out;
  int64_t pairs, angles;  // that turn, 0: none; where their cosines and sines are
  bool interleaved, biased;

  void run(const Frame<T>& f) const noexcept {
    const CacheLayout& c = f.caches[cache];
    const int64_t N = problem.q.shape[1], K = problem.k.shape[1], D = problem.q.shape[3];
    T *q = f.memory + projected, *k = q + N * D, *v = k + K * D;
    turn(q, N + K, f.memory + angles);
    const int64_t slot = f.position < c.slots ? f.position : f.position % c.slots;
    for (int64_t n = 0; n < K; ++n) {
      std::copy_n(k + n * D, D, f.memory + c.keys + (n * c.slots + slot) * D);
      std::copy_n(v + n * D, D, f.memory + c.values + (n * c.slots + slot) * D);
    }
    const int64_t keys = std::min(f.position + 1, c.slots);
    const auto cached = [&](int64_t place) {
      return View<const T, 4>(f.memory + place, {1, K, keys, D}, {0, c.slots * D, D, 1});
    };
    AttentionForward<T> call{.arguments = problem,
                             .out = {f.memory + out, {1, N, 1, D}},
                             .normalizer = {f.memory + normalizer, {1, N, 1, 2}},
                             .workspace = f.memory + c.workspace};
    AttentionArguments<T>& a = call.arguments;
    a.q.data = q, a.k = cached(c.keys), a.v = cached(c.values);
    if (biased)  // of the key in slot j: its distance is (slot - j) mod slots
      a.bias = {f.memory + c.bias + c.slots - slot, {1, N, 1, keys}, {0, bias_row(c.slots), 0, 1}};
    kernel(call);
  }

  /// Elements of the biases of one head: those of every distance, twice, for any place where a ring begins.
  static int64_t bias_row(int64_t slots) { return 2 * slots; }

 private:
  void turn(T* heads, int64_t count, const T* cos) const noexcept {
    const T* sin = cos + pairs;
    const int64_t step = interleaved ? 2 : 1, apart = interleaved ? 1 : pairs;
    for (int64_t n = 0; pairs > 0 && n < count; ++n, heads += problem.q.shape[3])
      for (int64_t i = 0; i < pairs; ++i) {
        T &a = heads[i * step], &b = heads[i * step + apart];
        const T turned = a * cos[i] - b * sin[i];
        b = b * cos[i] + a * sin[i];
        a = turned;
      }
  }
};

}  // namespace weft
