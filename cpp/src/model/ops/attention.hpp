// attention: every step attends to the steps that it may see.
//
//   [q; k; v] = x W_in^T + b_in
//   out       = softmax(q k^T / sqrt(D) + bias) v
//   y         = out W_out^T + b_out
//
//   W_in [(N + 2 Nk) D, E]   W_out [E, N D]   b_in, b_out optional
//
// N heads of queries, Nk of keys, D features of a head.
// causal: a query sees no later keys. window [left, right]: so many keys before and after its own, -1: all.
// positions: see attention_positions.hpp.
#pragma once

#include "src/model/ops/attention_history.hpp"
#include "src/model/ops/linear.hpp"
#include "weft/attention.hpp"
#include "weft/pointwise.hpp"

namespace weft {

template <class T>
struct AttentionNode {
  static constexpr const char* name = "attention";
  int64_t heads = 0, kv_heads = 0, size = 0;  // N, K, D, which is known once it is checked
  int64_t left = -1, right = -1;
  bool causal = false;
  LinearNode<T> in, out;
  AttentionPositions<T> positions;

  static AttentionNode read(Entries<T>& entries) {
    AttentionNode made;
    made.heads = entries.integer("heads", 1);
    made.kv_heads = entries.integer("kv_heads", 1);
    made.in = {entries.weight("in_weight"), entries.optional_weight("in_bias")};
    made.out = {entries.weight("out_weight"), entries.optional_weight("out_bias")};
    made.causal = entries.boolean("causal");
    if (const auto window = entries.find("window")) made.read_window(*window, entries.place);
    if (made.causal) made.right = 0;
    if (const auto positions = entries.find("positions"))
      made.positions = read_positions(Entries<T>(*positions, entries.place, entries.weights));
    return made;
  }
  void read_window(Json window, const Place& place) {
    std::vector<int64_t> sides;
    window.each_item(place.what("window"), [&](Json side) {
      if (sides.size() < 3) sides.push_back(side.integer(place.what("window")));
    });
    if (sides.size() != 2 || sides[0] < -1 || sides[1] < -1)
      place.refuse("window must be two numbers, each at least -1, got " + window.excerpt());
    left = sides[0], right = sides[1];
  }

  int64_t expected_inputs(int64_t& halved) const { return in.expected_inputs(halved); }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) {
    if (heads % kv_heads != 0)
      at.refuse("kv_heads must divide heads = " + std::to_string(heads) + ", got " +
                std::to_string(kv_heads));
    const int64_t rows = at.expect("in_weight", in.weight, "((N + 2K) D, E)", {Place::any, inputs})[0];
    const int64_t parts = heads > rows ? rows + 1 : heads + 2 * kv_heads;  // no overflow
    if (rows % parts != 0)
      at.refuse(
          "in_weight must have (N + 2K) D rows, a multiple of N + 2K with N = " + std::to_string(heads) +
          " and K = " + std::to_string(kv_heads) + ", got " + std::to_string(rows));
    size = rows / parts;
    at.expect("in_bias", in.bias, "((N + 2K) D,)", {rows});
    const int64_t outputs = at.expect("out_weight", out.weight, "(E, N D)", {Place::any, heads * size})[0];
    at.expect("out_bias", out.bias, "(E,)", {outputs});
    check_positions(positions, heads, size, at);
    if (!causal && right != 0)
      graph.refuse_steps("the attention" + at.at() + " is not causal, it reads later steps");
    return outputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    const int64_t B = sequences.batch.size, time = sequences.batch.time, N = heads, K = kv_heads, D = size;
    Features<T> projected = in.run(x, sequences);
    const int64_t wide = projected.size;
    const auto part = [&](int64_t first, int64_t count) {
      return View<T, 4>{projected.data.get() + first * D, {B, count, time, D}, {time * wide, D, wide, 1}};
    };
    AttentionArguments<T> a;
    a.q = part(0, N), a.k = part(N, K), a.v = part(N + K, K);
    a.kv_lengths = sequences.batch.lengths;
    a.scale = 1 / std::sqrt(double(D));
    a.left = left, a.right = right;
    a.threads = sequences.threads();
    a.operation = "run";
    AlignedArray<T> bias;
    if (const auto* rotary = std::get_if<RotaryPositions>(&positions))
      turn(*rotary, part(0, N + K), sequences.batch.threads);
    if (has_bias(positions)) {
      // Of a key that stands d after its query at [n, d + T - 1].
      const int64_t distances = 2 * time - 1;
      bias = aligned_array<T>(N * distances);
      for (int64_t n = 0; n < N; ++n)
        fill_score_bias(positions, n, N, 1 - time, distances, bias.get() + n * distances);
      a.bias = {bias.get() + time - 1, {B, N, time, time}, {0, distances, -1, 1}};
      // As Python: the distance to the last query instead, which to a softmax over earlier keys is the same.
      if (causal && std::holds_alternative<AlibiPositions>(positions))
        a.bias.data = bias.get(), a.bias.stride[2] = 0;
    }
    Features<T> read = sequences.take(N * D), normalizer = sequences.take(2 * N);
    const View<T, 4> result(read.data.get(), {B, N, time, D}, {time * N * D, D, N * D, 1});
    const AlignedArray<std::byte> workspace =
        aligned_array<std::byte>(int64_t(attention_forward_workspace(a)));
    attention_forward<T>({.arguments = a,
                          .out = result,
                          .normalizer = {normalizer.data.get(), {B, N, time, 2}},
                          .workspace = workspace.get()});
    Features<T> y = out.run(read, sequences);
    for (Features<T>* used : {&projected, &read, &normalizer}) sequences.give_back(std::move(*used));
    return y;
  }
  /// Queries and keys, where they lie.
  static void turn(const RotaryPositions& rotary, const View<T, 4>& heads, int threads) {
    const int64_t pairs = rotary.dim / 2, time = heads.shape[2];
    const AlignedArray<T> cos = aligned_array<T>(time * pairs), sin = aligned_array<T>(time * pairs);
    const std::vector<double> each = frequencies(rotary.base, pairs, rotary.dim);
    for (int64_t t = 0; t < time; ++t) fill_angles(each, t, 1, cos.get() + t * pairs, sin.get() + t * pairs);
    rotary_forward<T>({.x = heads,
                       .cos = {cos.get(), {1, time, pairs}},
                       .sin = {sin.get(), {1, time, pairs}},
                       .interleaved = rotary.interleaved,
                       .y = heads,
                       .threads = threads});
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const int64_t N = heads, D = size;
    const Value projected = in.step(x, program);
    if (const auto* rotary = std::get_if<RotaryPositions>(&positions)) step_turn(*rotary, projected, program);
    AttentionArguments<T>
        a;  // but for what is known at run time; what is out of the window is not remembered
    a.q = {nullptr, {1, N, 1, D}};
    a.k.shape = a.v.shape = {1, kv_heads, 0, D};
    a.scale = 1 / std::sqrt(double(D));
    const bool has_window = left >= 0 && left < INT64_MAX;
    const size_t history = program.remember(std::make_unique<AttentionHistory<T>>(
        has_window ? left + 1 : 0, a, positions, program.kernels.attention_workspace));
    const Value normalizer = program.take(2 * N), read = program.take(N * D);
    program.append(StepAttention{program.kernels.attention, a, history, has_bias(positions), projected.place,
                                 normalizer.place, read.place});
    const Value y = out.step(read, program);
    for (const Value& used : {projected, normalizer, read}) program.give_back(used);
    return y;
  }
  /// The step's query and keys. Its cosines and sines are there for all attentions that turn alike.
  void step_turn(const RotaryPositions& rotary, const Value& projected, ProgramBuilder<T>& program) const {
    const int64_t pairs = rotary.dim / 2;
    const std::pair<const char*, std::vector<double>> key{"rotary", {rotary.base, double(rotary.dim)}};
    const int64_t cos = program.once(key, rotary.dim, [&](int64_t cos) {
      program.append([each = frequencies(rotary.base, pairs, rotary.dim), cos, pairs](const Frame<T>& f) {
        fill_angles(each, f.position, 1, f.memory + cos, f.memory + cos + pairs);
      });
    });
    program.append([turn = program.kernels.rotary, heads = heads + kv_heads, size = size, pairs,
                    interleaved = rotary.interleaved, cos, at = projected.place](const Frame<T>& f) {
      turn(heads, size, pairs, interleaved, f.memory + cos, f.memory + cos + pairs, f.memory + at);
    });
  }
  /// The step's query reads from the steps so far, itself included: out [N, D] of projected [N + 2 K, D].
  struct StepAttention {
    void (*kernel)(const AttentionForward<T>&);
    AttentionArguments<T> problem;
    size_t history;
    bool biased;
    int64_t projected, normalizer, out;

    void operator()(const Frame<T>& f) const {
      using History = AttentionHistory<T>;
      const auto& [slots, at] = f.histories[history];
      const int64_t N = problem.q.shape[1], K = problem.k.shape[1], D = problem.q.shape[3];
      const T *q = f.memory + projected, *k = q + N * D, *v = k + K * D;
      T *keys = f.memory + at[History::keys], *values = f.memory + at[History::values];
      const int64_t slot = f.position < slots ? f.position : f.position % slots;
      for (int64_t n = 0; n < K; ++n) {
        std::copy_n(k + n * D, D, keys + (n * slots + slot) * D);
        std::copy_n(v + n * D, D, values + (n * slots + slot) * D);
      }
      const int64_t held = std::min(f.position + 1, slots);
      AttentionForward<T> call{.arguments = problem,
                               .out = {f.memory + out, {1, N, 1, D}},
                               .normalizer = {f.memory + normalizer, {1, N, 1, 2}},
                               .workspace = f.workspace};
      AttentionArguments<T>& a = call.arguments;
      a.q.data = q;
      a.k = {keys, {1, K, held, D}, {0, slots * D, D, 1}};
      a.v = {values, a.k.shape, a.k.stride};
      if (biased) {  // of the key in slot j: its distance is (slot - j) mod slots
        const int64_t row = History::bias_row(slots);
        a.bias = {f.memory + at[History::bias] + slots - slot, {1, N, 1, held}, {0, row, 0, 1}};
      }
      kernel(call);
    }
  };
};

}  // namespace weft
