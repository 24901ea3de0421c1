// The sequence driver's weights in the micro-kernel's order: those of the forward pass, and transposed those
// that take gradients back. Threads pack a share each.
//
// Where a team's rows are few, the recurrent ones lie as they are read: the panels of a block side by side.
// Where a call has one step of few rows, they stay where the caller has them.
#pragma once

#include "kernels/gemm/pack_transposed.hpp"
#include "kernels/recurrent/sequence.hpp"

namespace weft::WEFT_ISA {

/// Weights in the micro-kernel's order, for the forward pass.
template <class T>
struct ForwardWeights {
  T *w_ih, *w_hh, *b_ih, *b_hh, *extra, *w_proj = nullptr;

  static ForwardWeights take(Arena& arena, const Geometry<T>& g) {
    const RecurrentProblem<T>& p = g.problem;
    ForwardWeights w;
    const int64_t packed = g.forward_in_place() ? 0 : g.cell.gates * g.hidden;
    w.w_ih = arena.take<T>(p.input * packed);
    w.w_hh = arena.take<T>(p.state * packed);
    w.b_ih = arena.take<T>(g.cell.gates * g.hidden);
    w.b_hh = arena.take<T>(g.cell.gates * g.hidden);
    w.extra = arena.take<T>(g.cell.extras * g.hidden);
    if (g.projected()) w.w_proj = arena.take<T>(p.hidden * g.state);
    return w;
  }

  /// The recurrent weights of a block of `count` units, from a gate on.
  Panels<T> block(const Geometry<T>& g, int64_t unit, int64_t count, int gate) const {
    const int64_t depth = g.problem.state;
    const T* corner = w_hh + unit * g.cell.gates * depth;
    return g.few_rows ? Panels<T>{corner + gate * count, g.cell.gates * count, lanes<T>}
                      : panels(corner + gate * count * depth, depth);
  }

  /// Packs this thread's share. Columns go block of units by block, the gates of a block side by side, as a
  /// step's tile wants them. Where the cell needs only the sum of both products, b_ih is the sum of the
  /// biases.
  void pack(const Geometry<T>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    constexpr int64_t width = lanes<T>;
    const Range vectors = share(g.hidden / width, thread, threads);
    for (int gate = 0; gate < g.cell.gates; ++gate)
      for (int64_t v = vectors.begin; v < vectors.end; ++v) {
        const int64_t unit = v * width, start = unit / g.block * g.block;
        const int64_t units = min_of(g.block, g.hidden - start), valid = p.hidden - unit;
        const int64_t row = gate * p.hidden + unit;
        const int64_t column = start * g.cell.gates + gate * units + (unit - start);
        if (!g.forward_in_place()) {
          pack_transposed(p.w_ih + row * p.w_ih_row, p.w_ih_row, p.input, valid, w_ih + column * p.input, 0,
                          width);
          T* corner = w_hh + (g.few_rows ? start * g.cell.gates * p.state + column - start * g.cell.gates
                                         : column * p.state);
          pack_panel_transposed(p.w_hh + row * p.w_hh_row, p.w_hh_row, p.state, valid, corner,
                                g.few_rows ? g.cell.gates * units : width);
        }
        for (int64_t i = 0; i < width; ++i) {
          const bool inside = i < valid;
          b_ih[column + i] = inside && p.b_ih ? p.b_ih[row + i] : T(0);
          b_hh[column + i] = inside && p.b_hh ? p.b_hh[row + i] : T(0);
          if (g.cell.joint) b_ih[column + i] += b_hh[column + i];
        }
      }
    if (thread == 0)
      for (int e = 0; e < g.cell.extras; ++e)
        copy_or_zero(extra + e * g.hidden, p.extra, e * p.extra_row, {0, g.hidden}, p.hidden);
    if (g.projected()) {
      const Range columns = share(g.state, thread, threads, width);
      pack_transposed(p.w_proj, p.w_proj_row, p.hidden, p.state, w_proj, columns.begin, columns.end);
    }
  }
};

/// Transposed weights, packed for the products that take gradients back.
template <class T>
struct BackwardWeights {
  T *w_ih, *w_hh[2], *w_proj = nullptr;

  static BackwardWeights take(Arena& arena, const Geometry<T>& g) {
    BackwardWeights w;
    w.w_ih = arena.take<T>(g.dx_in_place() ? 0 : g.cell.gates * g.hidden * g.input);
    for (int s = 0; s < g.cell.stages; ++s)
      w.w_hh[s] = arena.take<T>(g.dh_in_place() ? 0 : g.cell.stage_gates[s] * g.hidden * g.state);
    if (g.projected()) w.w_proj = arena.take<T>(g.problem.state * g.hidden);
    return w;
  }

  void pack(const Geometry<T>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    constexpr int64_t width = lanes<T>;
    if (!g.dx_in_place())
      pack_gates(g, p.w_ih, p.w_ih_row, p.input, g.cell.input_gate, g.cell.gates, w_ih, width,
                 share(g.input, thread, threads, width));
    for (int s = 0, slot = 0; s < g.cell.stages && !g.dh_in_place(); slot += g.cell.stage_gates[s++])
      pack_gates(g, p.w_hh, p.w_hh_row, p.state, g.cell.hidden_gate + slot, g.cell.stage_gates[s], w_hh[s],
                 g.few_rows ? g.group : width, share(g.state, thread, threads, width));
    if (g.projected()) {
      const Range columns = share(g.hidden, thread, threads, width);
      WEFT_ISA::pack(p.w_proj, p.w_proj_row, 1, p.state, p.hidden, w_proj, columns.begin, columns.end);
    }
  }

  /// dx = W_ih' delta of some rows; `deltas` begin at the first slot of the input's.
  void input_product(const Geometry<T>& g, int64_t rows, Rows<T> deltas, T* dx, int64_t dx_row) const {
    const RecurrentProblem<T>& p = g.problem;
    const int64_t depth = g.cell.gates * g.hidden;
    if (g.dx_in_place())
      in_place(p.w_ih, p.w_ih_row, p.hidden, g.cell.input_gate, g.cell.gates, rows, p.input, deltas, {}, dx,
               dx_row);
    else
      gemm<T>(rows, p.input, depth, deltas, panels(w_ih, depth), {}, dx, dx_row);
  }

  /// d(operand) = start + W_hh' delta, the columns [n, n + count), over the gates of a stage.
  void state_product(const Geometry<T>& g, int stage, int64_t n, int64_t count, int64_t rows, Rows<T> deltas,
                     Init<T> start, T* out, int64_t out_row) const {
    const RecurrentProblem<T>& p = g.problem;
    const int gates = g.cell.stage_gates[stage], first_gate = g.cell.first_gate(stage);
    const int64_t depth = gates * g.hidden;
    if (g.dh_in_place()) {
      in_place(p.w_hh + n, p.w_hh_row, p.hidden, g.cell.hidden_gate + first_gate, gates, rows, count, deltas,
               start, out, out_row);
    } else if (g.few_rows) {
      const int64_t begin = n / g.group * g.group;
      const Panels<T> side_by_side{w_hh[stage] + begin * depth + (n - begin),
                                   min_of(g.group, g.state - begin), lanes<T>};
      gemm<T>(rows, count, depth, deltas, side_by_side, start, out, out_row);
    } else {
      gemm<T>(rows, count, depth, deltas, panels(w_hh[stage] + n * depth, depth), start, out, out_row);
    }
  }

 private:
  /// C = init + deltas W, where W's rows are panels and the order of the gates that of the slots:
  /// neighbouring gates are one product.
  static void in_place(const T* w, int64_t w_row, int64_t hidden, const int* gate_of, int gates, int64_t rows,
                       int64_t columns, Rows<T> deltas, Init<T> init, T* c, int64_t c_row) {
    for (int slot = 0, next = 1; slot < gates; slot = next++) {
      while (next < gates && gate_of[next] == gate_of[next - 1] + 1) ++next;
      gemm<T>(rows, columns, (next - slot) * hidden, {deltas.data + slot * hidden, deltas.row, 1},
              {w + gate_of[slot] * hidden * w_row, w_row, lanes<T>}, init, c, c_row);
      init = {c, c_row};
    }
  }

  /// Depth runs over (slot, unit), each slot padded to whole vectors with zeros. Columns go in groups of
  /// `group`, whose panels lie side by side.
  static void pack_gates(const Geometry<T>& g, const T* w, int64_t w_row, int64_t columns, const int* gate_of,
                         int gates, T* packed, int64_t group, Range range) {
    constexpr int64_t width = lanes<T>;
    const int64_t hidden = g.problem.hidden, depth = gates * g.hidden, padded = round_up(columns, width);
    for (int64_t n = range.begin; n < range.end; n += width) {
      const int64_t start = n / group * group, step = min_of(group, padded - start);
      const int64_t valid = min_of(columns - n, width);
      for (int slot = 0; slot < gates; ++slot) {
        const T* from = w + gate_of[slot] * hidden * w_row + n;
        T* to = packed + start * depth + (n - start) + slot * g.hidden * step;
        for (int64_t k = 0; k < hidden; ++k) store(to + k * step, load(from + k * w_row, valid));
        for (int64_t k = hidden; k < g.hidden; ++k) store(to + k * step, broadcast(T(0)));
      }
    }
  }
};

}  // namespace weft::WEFT_ISA
