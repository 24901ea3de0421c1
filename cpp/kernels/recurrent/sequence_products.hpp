// The sequence driver, backward: the products over all steps of a chunk, which all threads share once the
// chunk's deltas are there.
//
//   dx_t     = W_ih' delta_t
//   dW_ih   += sum_t delta_t x_t'                 db      += sum_t delta_t
//   dW_hh   += sum_t delta_t (m h_{t-1})'         dW_proj += sum_t dh_t outputs_t'
//
// dx is divided by rows, weight gradients by tiles of the weights' rows. Each element is summed by one thread
// in the order of the steps, so its bits do not depend on how many there are.
#pragma once

#include "kernels/gemm/transposed_product.hpp"
#include "kernels/recurrent/sequence_weights.hpp"
#include "kernels/recurrent/states.hpp"

namespace weft::WEFT_ISA {

/// Shared by all threads: a chunk's deltas and the rows they are multiplied with.
template <class T>
struct Chunk {
  T *slots, *inputs, *operands, *inner, *d_outputs, *dx;

  static Chunk take(Arena& arena, const Geometry<T>& g) {
    const int64_t rows = max_of(g.backward_rows(), g.problem.batch);
    Chunk c;
    c.slots = arena.take<T>(rows * g.slots_row);
    c.inputs = arena.take<T>(rows * g.input_row);
    c.operands = arena.take<T>(rows * g.h_row);
    c.inner = g.cell.stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
    c.d_outputs = g.projected() ? arena.take<T>(rows * g.h_row) : nullptr;
    c.dx = arena.take<T>(rows * g.input_row);
    return c;
  }
};

template <class T>
struct SequenceProducts {
  using G = Geometry<T>;
  using Product = TransposedProduct<T>;

  const G& g;
  const RecurrentGradientViews<T>& grads;
  const BackwardWeights<T>& weights;
  Chunk<T> chunk;
  T* packed;  ///< this thread's
  T* dextra;  ///< padded
  Worker worker;

  const RecurrentProblem<T>& p = g.problem;

  /// Steps [begin, end); `operands` are the rows of the state as it entered the recurrent product.
  void run(const States<T>& states, int64_t begin, int64_t end, const T* operands) const {
    const int64_t rows = g.row_steps(begin, end);
    if (grads.dx) input_gradient(begin, end);
    weight_gradients(rows, operands);
    if (g.projected())
      for_my_groups(p.state, 1, [&](int, int64_t first, int64_t few) {
        const T* outputs = states.outputs + states.row(g, begin) * g.outputs_row;
        for (int64_t r = 0; r < rows; r += Product::depth) {
          const Product product(packed, chunk.d_outputs + r * g.h_row + first, g.h_row, few,
                                min_of(Product::depth, rows - r));
          product.add({outputs + r * g.outputs_row, g.outputs_row, lanes<T>}, p.hidden,
                      row_of(grads.dw_proj, first), grads.dw_proj.stride[0]);
        }
      });
    if (g.cell.extras > 0) extra_gradient(states, begin, end);
  }

  /// A team's own rows where they are equally far apart over the whole chunk, since their deltas are in its
  /// cores' caches; else an equal share of all.
  void input_gradient(int64_t begin, int64_t end) const {
    bool even = true;
    for (int64_t step = begin; step + 1 < end; ++step) even = even && g.active(step) % worker.teams == 0;
    const int64_t all = g.row_steps(begin, end), stride = even ? worker.teams : 1;
    const Range rows =
        even ? share(worker.rows(all), worker.part, worker.parts) : share(all, worker.thread, worker.threads);
    const int64_t first = even ? worker.team : 0;
    for (int64_t r = rows.begin; r < rows.end; r += Product::group) {
      const int64_t row = first + r * stride;
      weights.input_product(
          g, min_of(Product::group, rows.end - r),
          {chunk.slots + row * g.slots_row + g.cell.input_slot * g.hidden, stride * g.slots_row, 1},
          chunk.dx + row * g.input_row, stride * g.input_row);
    }
    int64_t step = begin;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int64_t row = first + r * stride;
      while (g.row_steps(begin, step + 1) <= row) ++step;
      const int64_t j = row - g.row_steps(begin, step);
      copy_row(g.row_of(grads.dx, step, j), chunk.dx + row * g.input_row, p.input);
    }
  }

  /// A slot of deltas may belong to a gate of the input's product, of the recurrent one, or of both.
  void weight_gradients(int64_t rows, const T* operands) const {
    for_my_groups(p.hidden, g.cell.slots, [&](int slot, int64_t first, int64_t few) {
      const int in = slot - g.cell.input_slot, hid = slot - g.cell.hidden_slot;
      const bool of_input = in >= 0 && in < g.cell.gates, of_hidden = hid >= 0 && hid < g.cell.gates;
      const int64_t in_row = of_input ? g.cell.input_gate[in] * p.hidden + first : 0;
      const int64_t hid_row = of_hidden ? g.cell.hidden_gate[hid] * p.hidden + first : 0;
      const bool on_inner = g.cell.stages > 1 && hid >= g.cell.stage_gates[0];
      T* db = of_input && g.arguments.b_ih ? grads.db_ih.data + in_row : nullptr;
      T* db_hh = of_hidden && g.arguments.b_hh ? grads.db_hh.data + hid_row : nullptr;
      for (int64_t r = 0; r < rows; r += Product::depth) {
        const int64_t count = min_of(Product::depth, rows - r);
        const Product product(packed, chunk.slots + r * g.slots_row + slot * g.hidden + first, g.slots_row,
                              few, count);
        if (db) product.add_sums(db);
        if (db_hh) product.add_sums(db_hh);
        if (of_input)
          product.add({chunk.inputs + r * g.input_row, g.input_row, lanes<T>}, p.input,
                      row_of(grads.dw_ih, in_row), grads.dw_ih.stride[0]);
        if (of_hidden)
          product.add({(on_inner ? chunk.inner : operands) + r * g.h_row, g.h_row, lanes<T>}, p.state,
                      row_of(grads.dw_hh, hid_row), grads.dw_hh.stride[0]);
      }
    });
  }

  /// body(slot, first, few) for this thread's share of `slots` times `units` columns of deltas, a few tiles
  /// at a time. Threads take turns, since slots are not all of the same work.
  template <class Body>
  void for_my_groups(int64_t units, int slots, const Body& body) const {
    const int64_t tiles = (units + Product::height - 1) / Product::height;
    const int64_t fair = tiles * slots / (4 * worker.threads);
    const int64_t group = max_of(1, min_of(Product::group / Product::height, fair)) * Product::height;
    int64_t turn = 0;
    for (int slot = 0; slot < slots; ++slot)
      for (int64_t first = 0; first < units; first += group)
        if (turn++ % worker.threads == worker.thread) body(slot, first, min_of(group, units - first));
  }

  void extra_gradient(const States<T>& states, int64_t begin, int64_t end) const {
    const Range units = share(g.hidden, worker.thread, worker.threads, lanes<T>);
    for (int64_t step = begin; step < end; ++step) {
      BackwardTile<T> tile{};
      tile.rows = g.active(step);
      tile.units = units.end - units.begin;
      tile.saved = {states.saved + states.row(g, step) * g.saved_row + units.begin, g.saved_row, g.hidden};
      if (g.cell.has_c) tile.c_prev = {states.c + states.block(g, step) * g.c_row + units.begin, g.c_row};
      tile.deltas = {chunk.slots + g.row_steps(begin, step) * g.slots_row + units.begin, g.slots_row,
                     g.hidden};
      g.maths.extra_gradient(tile, dextra + units.begin, g.hidden);
    }
  }

  /// The caller's gradient of the extra weights, of this thread's units.
  void finish() const {
    const Range units = share(g.hidden, worker.thread, worker.threads, lanes<T>);
    for (int e = 0; e < g.cell.extras; ++e)
      for (int64_t u = units.begin; u < min_of(units.end, p.hidden); ++u)
        row_of(grads.dextra, e)[u] += dextra[e * g.hidden + u];
  }
};

}  // namespace weft::WEFT_ISA
