// One step of a cell, from weights that were packed once.
//
//   a = W_ih x + b_ih + W_hh h + b_hh          apart where the cell is not joint
//   h, c = cell(a, h, c)
//   h = W_proj h where P differs from H;       h = zoneout h_prev + (1 - zoneout) h
//
// Units go in blocks whose gates all fit in the registers. A block's weights and biases lie in the order in
// which they are read, so that a step is one walk through memory; its sums go to the cell's maths while those
// of the next block are under way. Every other step takes the blocks from the last to the first.
//
//   packed   zoneout | stage: block: b [G B], W_ih [I, G B], W_hh [P, G B] | extra [E, H] | W_proj
//   state    h [P] | c [H] | which way the last step went
//
// I input, H hidden units, P state, G gates, B units of a block; H and P padded with zeros to whole vectors.
#pragma once

#include "kernels/recurrent/cells/cell.hpp"
#include "kernels/step/step_linear.hpp"
#include "kernels/step/step_table.hpp"

namespace weft::WEFT_ISA {

template <class T, RecurrentCell Cell>
class CellStep {
 public:
  explicit CellStep(const StepShape& shape) : shape_(shape), units_(round_up(shape.hidden, width)) {}

  int64_t packed_size() const {
    return width + cell.gates * units_ * depth() + cell.extras * units_ +
           (projected() ? projection().packed_size() : 0);
  }
  int64_t state_size() const { return h_size() + (cell.has_c ? units_ : 0) + width; }
  int64_t scratch_size() const {
    return units_ + (projected() ? h_size() : 0) + (cell.stages > 1 ? (1 + cell.saved) * units_ : 0);
  }

  [[gnu::cold]] void pack(const StepWeights<T>& w, T* packed) const {
    for (int64_t i = 0; i < width; ++i) *packed++ = i == 0 ? w.zoneout : T(0);
    packed = pack_stage<0>(w, packed);
    if constexpr (cell.stages > 1) packed = pack_stage<1>(w, packed);
    for (int e = 0; e < cell.extras; ++e)
      for (int64_t u = 0; u < units_; ++u)
        *packed++ = w.extra != nullptr && u < shape_.hidden ? w.extra[e * shape_.hidden + u] : T(0);
    if (projected()) projection().pack(w.w_proj, nullptr, packed);
  }

  [[gnu::always_inline]] void run(const T* packed, const T* x, T* state, T* scratch) const {
    // A lone block without anything behind it: few units take no longer than the instructions around them.
    if (units_ == width && !projected() && packed[0] == T(0)) {
      const T* panels = packed + width;
      const Walk walk = walk_of(packed, x, state, state, scratch + units_);
      run_block<0, 1>(walk, panels, 0);
      if constexpr (cell.stages > 1) run_block<1, 1>(walk, panels + cell.stage_gates[0] * width * depth(), 0);
      return;
    }
    run_all(packed, x, state, scratch);
  }

 private:
  static constexpr CellInfo cell = Cell::info;
  static constexpr int64_t width = lanes<T>;
  static constexpr int biases = cell.joint ? 1 : 2;
  static constexpr int largest = block_vectors(cell);  ///< vectors of units in a block

  /// What all blocks of a step share.
  struct Walk {
    int64_t inputs, state, units;
    const T *x, *h_prev;
    T *c, *h, *inner;  // behind inner: what the first of two stages saves
    const T* extra;
  };

  Walk walk_of(const T* packed, const T* x, T* state, T* h, T* inner) const {
    return {.inputs = shape_.input,
            .state = shape_.state,
            .units = units_,
            .x = x,
            .h_prev = state,
            .c = state + h_size(),
            .h = h,
            .inner = inner,
            .extra = packed + width + cell.gates * units_ * depth()};
  }
  static bool is_one_block(int64_t vectors) { return vectors <= largest && (vectors & (vectors - 1)) == 0; }
  bool projected() const { return cell.takes_projection && shape_.state != shape_.hidden; }
  int64_t h_size() const { return projected() ? round_up(shape_.state, width) : units_; }
  int64_t depth() const { return biases + shape_.input + shape_.state; }
  StepLinear<T> projection() const { return {shape_.hidden, shape_.state}; }

  template <int Stage>
  [[gnu::cold]] T* pack_stage(const StepWeights<T>& w, T* packed) const {
    constexpr int gates = cell.stage_gates[Stage], first_gate = cell.first_gate(Stage);
    for_each_step_block<largest>(units_ / width, false, [&]<int B>(int64_t v) {
      const auto row = [&](const auto& value) {
        for (int g = first_gate; g < first_gate + gates; ++g)
          for (int64_t u = v * width; u < (v + B) * width; ++u)
            *packed++ = u < shape_.hidden ? value(g * shape_.hidden + u) : T(0);
      };
      const auto bias = [](const T* b, int64_t i) { return b == nullptr ? T(0) : b[i]; };
      if (cell.joint) {
        row([&](int64_t i) { return bias(w.b_ih, i) + bias(w.b_hh, i); });
      } else {
        row([&](int64_t i) { return bias(w.b_ih, i); });
        row([&](int64_t i) { return bias(w.b_hh, i); });
      }
      for (int64_t k = 0; k < shape_.input; ++k) row([&](int64_t i) { return w.w_ih[i * shape_.input + k]; });
      for (int64_t k = 0; k < shape_.state; ++k) row([&](int64_t i) { return w.w_hh[i * shape_.state + k]; });
    });
    return packed;
  }

  /// Any number of blocks.
  [[gnu::noinline]] void run_all(const T* packed, const T* x, T* state, T* scratch) const {
    const T *panels = packed + width, zoneout = packed[0];
    T *h = state, *way = state + h_size() + (cell.has_c ? units_ : 0);
    const int64_t vectors = units_ / width;
    bool turned = false;
    if (vectors > largest) {
      turned = *way != T(0);
      *way = turned ? T(0) : T(1);
    }
    // Only a lone block has read all of h before it writes.
    const bool direct = (cell.stages > 1 || is_one_block(vectors)) && !projected() && zoneout == T(0);
    T* out = direct ? h : scratch;
    const Walk walk = walk_of(packed, x, state, out, scratch + units_ + (projected() ? h_size() : 0));
    run_stage<0>(walk, panels, turned);
    if constexpr (cell.stages > 1)
      run_stage<1>(walk, panels + cell.stage_gates[0] * units_ * depth(), turned);
    if (direct) return;
    if (projected()) {
      projection().run(walk.extra + cell.extras * units_, out, scratch + units_);
      out = scratch + units_;
    }
    const Vec<T> stays = broadcast(zoneout), goes = broadcast(T(1) - zoneout);
    if (zoneout == T(0))
      for (int64_t u = 0; u < h_size(); u += width) store(h + u, load(out + u));
    else
      for (int64_t u = 0; u < h_size(); u += width)
        store(h + u, fma(stays, load(h + u), Eigen::internal::pmul(goes, load(out + u))));
  }

  template <int Stage>
  [[gnu::always_inline]] void run_stage(const Walk& walk, const T* stage, bool turned) const {
    constexpr int gates = cell.stage_gates[Stage];
    for_each_step_block<largest>(units_ / width, turned, [&]<int B>(int64_t v) {
      run_block<Stage, B>(walk, stage + v * width * gates * depth(), v * width);
    });
  }

  template <int Stage, int B>
  [[gnu::noinline]] static void run_block(const Walk& walk, const T* panel, int64_t unit) {
    constexpr int gates = cell.stage_gates[Stage], sums = gates * B;
    constexpr int64_t row = sums * width;
    alignas(64) T sum[row], input[cell.joint ? 1 : row];
    const T* bias = panel;
    panel += biases * row;
    StepSums<T, sums> own;
    if constexpr (cell.joint) {
      own.start(bias);
      panel = own.add(panel, walk.x, walk.inputs);
    } else {
      StepSums<T, sums, 1> of_input;
      of_input.start(bias);
      panel = of_input.add(panel, walk.x, walk.inputs);
      of_input.finish(input);
      own.start(bias + row);
    }
    own.add(panel, Stage == 0 ? walk.h_prev : walk.inner, walk.state);
    own.finish(sum);

    ForwardTile<T> tile{};
    tile.rows = 1;
    tile.units = B * width;
    tile.sum = {sum, 0, B * width};
    if constexpr (!cell.joint) tile.input = {input, 0, B * width};
    tile.extra = {walk.extra + unit, 0, walk.units};
    tile.h_prev = tile.operand = {walk.h_prev + unit, 0};
    tile.h = {walk.h + unit, 0};
    if constexpr (cell.has_c) {
      tile.c_prev = {walk.c + unit, 0};
      tile.c = {walk.c + unit, 0};
    }
    if constexpr (cell.stages > 1) {
      tile.inner = {walk.inner + unit, 0};
      tile.saved = {walk.inner + walk.units + unit, 0, walk.units};
    }
    Cell::template forward<Stage, T>(tile);
  }

  StepShape shape_;
  int64_t units_;
};

}  // namespace weft::WEFT_ISA
