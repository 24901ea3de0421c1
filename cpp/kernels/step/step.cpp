// This instruction set's table of a step's kernels: the cells and linear layers have kernels of their own, of
// most of the rest a step is one row of what whole sequences use.

#include "kernels/attention/attention.hpp"
#include "kernels/dense/dense.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/recurrent/cells/list.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/step/step_cell.hpp"
#include "kernels/step/step_linear.hpp"

namespace weft::WEFT_ISA {
namespace {

template <class Cell, class... All>
constexpr int place_of(CellList<All...>) {
  int place = 0, i = 0;
  ((place = __is_same(Cell, All) ? i : place, ++i), ...);
  return place;
}

template <class T, class Cell>
struct Entry {
  using Step = CellStep<T, Cell>;

  /// The same cell with vectors of half the width, where no more than half of one would be filled: its
  /// arithmetic takes half of the time. Else null.
  static const StepCell<T>* narrower(const StepShape& shape) {
#ifdef WEFT_NARROWER
    constexpr int place = place_of<Cell>(Cells());
    if (shape.hidden <= lanes<T> / 2) return &step_kernels<T>(WEFT_NARROWER::step_table).cells[place];
#endif
    (void)shape;
    return nullptr;
  }

  static int64_t packed_size(const StepShape& shape) {
    if (const auto* half = narrower(shape)) return half->packed_size(shape);
    return Step(shape).packed_size();
  }
  [[gnu::cold]] static void pack(const StepWeights<T>& weights, T* packed) {
    if (const auto* half = narrower(weights.shape)) return half->pack(weights, packed);
    Step(weights.shape).pack(weights, packed);
  }
  static int64_t state_size(const StepShape& shape) {
    if (const auto* half = narrower(shape)) return half->state_size(shape);
    return Step(shape).state_size();
  }
  static int64_t scratch_size(const StepShape& shape) {
    if (const auto* half = narrower(shape)) return half->scratch_size(shape);
    return Step(shape).scratch_size();
  }
  static void step(const StepShape& shape, const T* packed, const T* x, T* state, T* scratch) {
    if (const auto* half = narrower(shape)) return half->step(shape, packed, x, state, scratch);
    Step(shape).run(packed, x, state, scratch);
  }

  static constexpr StepCell<T> cell = {Cell::info, &packed_size, &pack, &state_size, &scratch_size, &step};
};

template <class T, class List>
struct Entries;
template <class T, class... Cell>
struct Entries<T, CellList<Cell...>> {
  static constexpr StepCell<T> cells[] = {Entry<T, Cell>::cell...};
};

template <class T>
struct Linear {
  /// Likewise.
  static const StepKernels<T>* narrower(int64_t inputs, int64_t outputs) {
#ifdef WEFT_NARROWER
    if (inputs <= lanes<T> / 2 && outputs <= lanes<T> / 2) return &step_kernels<T>(WEFT_NARROWER::step_table);
#endif
    (void)inputs, (void)outputs;
    return nullptr;
  }
  static int64_t packed_size(int64_t inputs, int64_t outputs) {
    if (const auto* half = narrower(inputs, outputs)) return half->linear_packed_size(inputs, outputs);
    return StepLinear<T>{inputs, outputs}.packed_size();
  }
  [[gnu::cold]] static void pack(int64_t inputs, int64_t outputs, const T* weight, const T* bias, T* packed) {
    if (const auto* half = narrower(inputs, outputs))
      return half->pack_linear(inputs, outputs, weight, bias, packed);
    StepLinear<T>{inputs, outputs}.pack(weight, bias, packed);
  }
  static void run(int64_t inputs, int64_t outputs, const T* packed, const T* x, T* y) {
    if (const auto* half = narrower(inputs, outputs)) return half->linear(inputs, outputs, packed, x, y);
    StepLinear<T>{inputs, outputs}.run(packed, x, y);
  }
};

template <class T, void (*Forward)(const ActivationForward<T>&, int)>
void activation(int64_t size, const T* x, T* y) {
  Forward({{}, {x, {size}}, {y, {size}}}, 1);
}

template <class T>
void layer_norm(int64_t size, const T* x, const T* weight, const T* bias, double eps, T* y) {
  T mean[2], inverse_deviation;
  layer_norm_forward<T>({.x = {x, {1, size}},
                         .weight = {weight, {size}},
                         .bias = {bias, {size}},
                         .eps = eps,
                         .y = {y, {1, size}},
                         .mean = {mean, {1, 2}},
                         .inverse_deviation = {&inverse_deviation, {1}}},
                        1);
}

template <class T>
void add(int64_t size, const T* a, const T* b, T* y) {
  for_each_vector<T>(0, size, [&](int64_t i, int64_t n) {
    store(y + i, Eigen::internal::padd(load(a + i, n), load(b + i, n)), n);
  });
}

/// As rotary.cpp, where vectors of pairs would be but partly filled: a head has few.
template <class T>
void turn(int64_t heads, int64_t size, int64_t pairs, bool interleaved, const T* cos, const T* sin, T* x) {
  const int64_t step = interleaved ? 2 : 1, apart = interleaved ? 1 : pairs;
  for (int64_t n = 0; n < heads; ++n, x += size)
    for (int64_t i = 0; i < pairs; ++i) {
      T &a = x[i * step], &b = x[i * step + apart];
      const T turned = a * cos[i] - b * sin[i];
      b = b * cos[i] + a * sin[i];
      a = turned;
    }
}

template <class T>
constexpr StepKernels<T> kernels() {
  return {
      .cells = Entries<T, Cells>::cells,
      .count = Cells::count,
      .linear_packed_size = &Linear<T>::packed_size,
      .pack_linear = &Linear<T>::pack,
      .linear = &Linear<T>::run,
      .layer_norm = &layer_norm<T>,
      .activation = {&activation<T, &relu_forward<T>>, &activation<T, &gelu_forward<T>>,
                     &activation<T, &gelu_tanh_forward<T>>, &activation<T, &silu_forward<T>>,
                     &activation<T, &sigmoid_forward<T>>, &activation<T, &tanh_forward<T>>},
      .swiglu = [](int64_t size, const T* x,
                   T* y) { swiglu_forward<T>({{x, {1, 2 * size}}, {y, {1, size}}}, 1); },
      .add = &add<T>,
      .rotary = &turn<T>,
      .attention_workspace =
          [](const AttentionArguments<T>& a) { return int64_t(attention_forward_workspace<T>(a, 1)); },
      .attention = [](const AttentionForward<T>& call) { attention_forward<T>(call, 1); },
  };
}

}  // namespace

extern const StepTable step_table;
constinit const StepTable step_table = {isa_name, kernels<float>(), kernels<double>()};

}  // namespace weft::WEFT_ISA
