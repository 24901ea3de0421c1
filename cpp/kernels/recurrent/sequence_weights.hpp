// The sequence driver's weights in the micro-kernel's order: those of the forward pass, and transposed those
// that take gradients back. Threads pack a share each.
//
// Where a team's rows are few, the recurrent ones lie as they are read: the panels of a block side by side.
// Where a call has one step of few rows, they stay where the caller has them.
#pragma once

#include "kernels/gemm/packed_matrix.hpp"
#include "kernels/recurrent/sequence.hpp"

namespace weft::WEFT_ISA {

/// The cell's own weights, rows padded with zeros.
template <class T>
inline void pack_extra(const Geometry<T>& g, T* to) {
  for (int e = 0; e < g.cell.extras; ++e)
    copy_or_zero(to + e * g.hidden, row_of(g.arguments.extra, e), {0, g.hidden}, g.problem.hidden);
}

/// Weights in the micro-kernel's order, for the forward pass.
template <class T>
struct ForwardWeights {
  PackedMatrix<T> w_ih, w_hh, w_proj{};
  T *b_ih, *b_hh, *extra;

  static ForwardWeights take(Arena& arena, const Geometry<T>& g) {
    const RecurrentProblem<T>& p = g.problem;
    ForwardWeights w;
    const int64_t packed = g.forward_in_place() ? 0 : g.cell.gates * g.hidden;
    w.w_ih = PackedMatrix<T>::take(arena, p.input, packed);
    w.w_hh = PackedMatrix<T>::take(arena, p.state, packed, g.few_rows ? g.cell.gates * g.block : lanes<T>);
    w.b_ih = arena.take<T>(g.cell.gates * g.hidden);
    w.b_hh = arena.take<T>(g.cell.gates * g.hidden);
    w.extra = arena.take<T>(g.cell.extras * g.hidden);
    if (g.projected()) w.w_proj = PackedMatrix<T>::take(arena, p.hidden, g.state);
    return w;
  }

  /// The recurrent weights of a block of `count` units, from a gate on.
  Panels<T> block(const Geometry<T>& g, int64_t unit, int64_t count, int gate) const {
    return w_hh.panels(unit * g.cell.gates + gate * count, unit * g.cell.gates);
  }

  /// Packs this thread's share. Columns go block of units by block, the gates of a block side by side, as a
  /// step's tile wants them. Where the cell needs only the sum of both products, b_ih is the sum of the
  /// biases.
  void pack(const Geometry<T>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    const RecurrentArguments<T>& a = g.arguments;
    constexpr int64_t width = lanes<T>;
    const Range vectors = share(g.hidden / width, thread, threads);
    for (int gate = 0; gate < g.cell.gates; ++gate)
      for (int64_t v = vectors.begin; v < vectors.end; ++v) {
        const int64_t unit = v * width, start = unit / g.block * g.block;
        const int64_t units = min_of(g.block, g.hidden - start), valid = p.hidden - unit;
        const int64_t row = gate * p.hidden + unit;
        const int64_t column = start * g.cell.gates + gate * units + (unit - start);
        if (!g.forward_in_place()) {
          const Range panel{column, column + width};
          w_ih.pack_transposed(a.w_ih.data + row * a.w_ih.stride[0], a.w_ih.stride[0], panel, valid);
          w_hh.pack_transposed(a.w_hh.data + row * a.w_hh.stride[0], a.w_hh.stride[0], panel, valid);
        }
        for (int64_t i = 0; i < width; ++i) {
          const bool inside = i < valid;
          b_ih[column + i] = inside && a.b_ih.data ? a.b_ih.data[row + i] : T(0);
          b_hh[column + i] = inside && a.b_hh.data ? a.b_hh.data[row + i] : T(0);
          if (g.cell.joint) b_ih[column + i] += b_hh[column + i];
        }
      }
    if (thread == 0) pack_extra(g, extra);
    if (g.projected()) {
      const Range columns = share(g.state, thread, threads, width);
      w_proj.pack_transposed(a.w_proj.data + columns.begin * a.w_proj.stride[0], a.w_proj.stride[0], columns,
                             p.state - columns.begin);
    }
  }
};

/// Transposed weights, packed for the products that take gradients back.
template <class T>
struct BackwardWeights {
  PackedMatrix<T> w_ih, w_hh[2], w_proj{};

  static BackwardWeights take(Arena& arena, const Geometry<T>& g) {
    BackwardWeights w;
    w.w_ih = PackedMatrix<T>::take(arena, g.cell.gates * g.hidden, g.dx_in_place() ? 0 : g.input);
    for (int s = 0; s < g.cell.stages; ++s)
      w.w_hh[s] = PackedMatrix<T>::take(arena, g.cell.stage_gates[s] * g.hidden,
                                        g.dh_in_place() ? 0 : g.state, g.few_rows ? g.group : lanes<T>);
    if (g.projected()) w.w_proj = PackedMatrix<T>::take(arena, g.problem.state, g.hidden);
    return w;
  }

  void pack(const Geometry<T>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    const RecurrentArguments<T>& a = g.arguments;
    constexpr int64_t width = lanes<T>;
    if (!g.dx_in_place())
      pack_gates(g, a.w_ih.data, a.w_ih.stride[0], p.input, g.cell.input_gate, g.cell.gates, w_ih,
                 share(g.input, thread, threads, width));
    for (int s = 0, slot = 0; s < g.cell.stages && !g.dh_in_place(); slot += g.cell.stage_gates[s++])
      pack_gates(g, a.w_hh.data, a.w_hh.stride[0], p.state, g.cell.hidden_gate + slot, g.cell.stage_gates[s],
                 w_hh[s], share(g.state, thread, threads, width));
    if (g.projected()) {
      const Range columns = share(g.hidden, thread, threads, width);
      w_proj.pack_rows(a.w_proj.data + columns.begin, a.w_proj.stride[0], columns, p.hidden - columns.begin);
    }
  }

  /// dx = W_ih' delta of some rows; `deltas` begin at the first slot of the input's.
  void input_product(const Geometry<T>& g, int64_t rows, const Rows<T>& deltas, T* dx, int64_t dx_row) const {
    const RecurrentProblem<T>& p = g.problem;
    const RecurrentArguments<T>& a = g.arguments;
    const int64_t depth = g.cell.gates * g.hidden;
    if (g.dx_in_place())
      in_place(a.w_ih.data, a.w_ih.stride[0], p.hidden, g.cell.input_gate, g.cell.gates, rows, p.input,
               deltas, {}, dx, dx_row);
    else
      gemm<T>(rows, p.input, depth, deltas, w_ih.panels(), {}, dx, dx_row);
  }

  /// d(operand) = start + W_hh' delta, the columns [n, n + count), over the gates of a stage.
  void state_product(const Geometry<T>& g, int stage, int64_t n, int64_t count, int64_t rows,
                     const Rows<T>& deltas, const Epilogue<T>& start, T* out, int64_t out_row) const {
    const RecurrentProblem<T>& p = g.problem;
    const RecurrentArguments<T>& a = g.arguments;
    const int gates = g.cell.stage_gates[stage], first_gate = g.cell.first_gate(stage);
    if (g.dh_in_place()) {
      in_place(a.w_hh.data + n, a.w_hh.stride[0], p.hidden, g.cell.hidden_gate + first_gate, gates, rows,
               count, deltas, start, out, out_row);
    } else {
      gemm<T>(rows, count, gates * g.hidden, deltas, w_hh[stage].panels(n, n / g.group * g.group), start, out,
              out_row);
    }
  }

 private:
  /// C = init + deltas W, where W's rows are panels and the order of the gates that of the slots:
  /// neighbouring gates are one product.
  static void in_place(const T* w, int64_t w_row, int64_t hidden, const int* gate_of, int gates, int64_t rows,
                       int64_t columns, const Rows<T>& deltas, const Epilogue<T>& init, T* c, int64_t c_row) {
    Epilogue<T> from = init;
    for (int slot = 0, next = 1; slot < gates; slot = next++) {
      while (next < gates && gate_of[next] == gate_of[next - 1] + 1) ++next;
      gemm<T>(rows, columns, (next - slot) * hidden, {deltas.data + slot * hidden, deltas.row, 1},
              {w + gate_of[slot] * hidden * w_row, w_row, lanes<T>}, from, c, c_row);
      from = {c, c_row};
    }
  }

  /// Depth runs over (slot, unit), each slot padded to whole vectors with zeros.
  static void pack_gates(const Geometry<T>& g, const T* w, int64_t w_row, int64_t columns, const int* gate_of,
                         int gates, const PackedMatrix<T>& packed, Range range) {
    const int64_t hidden = g.problem.hidden, valid = columns - range.begin;
    for (int slot = 0; slot < gates; ++slot) {
      const int64_t k = slot * g.hidden;
      const T* from = w + gate_of[slot] * hidden * w_row + range.begin;
      packed.pack_rows(from, w_row, {k, k + hidden}, range, valid);
      packed.pack_rows(from, 0, {k + hidden, k + g.hidden}, range, 0);
    }
  }
};

}  // namespace weft::WEFT_ISA
