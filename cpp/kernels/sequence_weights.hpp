// The sequence driver's weights in the micro-kernel's order: those of the forward pass, and transposed those
// that take gradients back. Threads pack a share each.
//
// Where a team's rows are few, the recurrent ones lie as they are read: the panels of a block side by side.
#pragma once

#include "pack_transposed.hpp"
#include "sequence.hpp"

namespace weft::WEFT_ISA {

/// Weights in the micro-kernel's order, for the forward pass.
template <class T, class Cell>
struct ForwardWeights {
  T *w_ih, *w_hh, *b_ih, *b_hh, *extra, *w_proj = nullptr;

  static ForwardWeights take(Arena& arena, const Geometry<T, Cell>& g) {
    const RecurrentProblem<T>& p = g.problem;
    ForwardWeights w;
    w.w_ih = arena.take<T>(p.input * Cell::gates * g.hidden);
    w.w_hh = arena.take<T>(p.state * Cell::gates * g.hidden);
    w.b_ih = arena.take<T>(Cell::gates * g.hidden);
    w.b_hh = arena.take<T>(Cell::gates * g.hidden);
    w.extra = arena.take<T>(Cell::extras * g.hidden);
    if (g.projected()) w.w_proj = arena.take<T>(p.hidden * g.state);
    return w;
  }

  /// The recurrent weights of a block of `count` units, from a gate on.
  Panels<T> block(const Geometry<T, Cell>& g, int64_t unit, int64_t count, int gate) const {
    const int64_t depth = g.problem.state;
    const T* corner = w_hh + unit * Cell::gates * depth;
    return g.few_rows ? Panels<T>{corner + gate * count, Cell::gates * count, lanes<T>}
                      : panels(corner + gate * count * depth, depth);
  }

  /// Packs this thread's share. Columns go block of units by block, the gates of a block side by side, as a
  /// step's tile wants them. Where the cell needs only the sum of both products, b_ih is the sum of the
  /// biases.
  void pack(const Geometry<T, Cell>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    constexpr int64_t width = lanes<T>;
    const Range vectors = share(g.hidden / width, thread, threads);
    for (int gate = 0; gate < Cell::gates; ++gate)
      for (int64_t v = vectors.begin; v < vectors.end; ++v) {
        const int64_t unit = v * width, start = unit / Geometry<T, Cell>::block * Geometry<T, Cell>::block;
        const int64_t units = min_of(Geometry<T, Cell>::block, g.hidden - start), valid = p.hidden - unit;
        const int64_t row = gate * p.hidden + unit;
        const int64_t column = start * Cell::gates + gate * units + (unit - start);
        pack_transposed(p.w_ih + row * p.w_ih_row, p.w_ih_row, p.input, valid, w_ih + column * p.input, 0,
                        width);
        T* corner = w_hh + (g.few_rows ? start * Cell::gates * p.state + column - start * Cell::gates
                                       : column * p.state);
        pack_panel_transposed(p.w_hh + row * p.w_hh_row, p.w_hh_row, p.state, valid, corner,
                              g.few_rows ? Cell::gates * units : width);
        for (int64_t i = 0; i < width; ++i) {
          const bool inside = i < valid;
          b_ih[column + i] = inside && p.b_ih ? p.b_ih[row + i] : T(0);
          b_hh[column + i] = inside && p.b_hh ? p.b_hh[row + i] : T(0);
          if (Cell::joint) b_ih[column + i] += b_hh[column + i];
        }
      }
    if (thread == 0)
      for (int e = 0; e < Cell::extras; ++e)
        copy_or_zero(extra + e * g.hidden, p.extra, e * p.extra_row, {0, g.hidden}, p.hidden);
    if (g.projected()) {
      const Range columns = share(g.state, thread, threads, width);
      pack_transposed(p.w_proj, p.w_proj_row, p.hidden, p.state, w_proj, columns.begin, columns.end);
    }
  }
};

/// Transposed weights, packed for the products that take gradients back.
template <class T, class Cell>
struct BackwardWeights {
  T *w_ih, *w_hh[Cell::stages], *w_proj = nullptr;

  static BackwardWeights take(Arena& arena, const Geometry<T, Cell>& g) {
    BackwardWeights w;
    w.w_ih = arena.take<T>(Cell::gates * g.hidden * g.input);
    for (int s = 0; s < Cell::stages; ++s)
      w.w_hh[s] = arena.take<T>(Cell::stage_gates[s] * g.hidden * g.state);
    if (g.projected()) w.w_proj = arena.take<T>(g.problem.state * g.hidden);
    return w;
  }

  void pack(const Geometry<T, Cell>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    constexpr int64_t width = lanes<T>;
    pack_gates(g, p.w_ih, p.w_ih_row, p.input, Cell::input_gate, Cell::gates, w_ih, width,
               share(g.input, thread, threads, width));
    for (int s = 0, slot = 0; s < Cell::stages; slot += Cell::stage_gates[s++])
      pack_gates(g, p.w_hh, p.w_hh_row, p.state, Cell::hidden_gate + slot, Cell::stage_gates[s], w_hh[s],
                 g.few_rows ? g.group : width, share(g.state, thread, threads, width));
    if (g.projected()) {
      const Range columns = share(g.hidden, thread, threads, width);
      WEFT_ISA::pack(p.w_proj, p.w_proj_row, 1, p.state, p.hidden, w_proj, columns.begin, columns.end);
    }
  }

  /// The recurrent weights of a stage, from a column on.
  Panels<T> columns(const Geometry<T, Cell>& g, int stage, int64_t column) const {
    const int64_t depth = Cell::stage_gates[stage] * g.hidden;
    if (!g.few_rows) return panels(w_hh[stage] + column * depth, depth);
    const int64_t start = column / g.group * g.group;
    return {w_hh[stage] + start * depth + (column - start), min_of(g.group, g.state - start), lanes<T>};
  }

 private:
  /// Depth runs over (slot, unit), each slot padded to whole vectors with zeros. Columns go in groups of
  /// `group`, whose panels lie side by side.
  static void pack_gates(const Geometry<T, Cell>& g, const T* w, int64_t w_row, int64_t columns,
                         const int* gate_of, int gates, T* packed, int64_t group, Range range) {
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
