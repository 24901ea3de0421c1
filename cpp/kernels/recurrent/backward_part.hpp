// What one part of a team does in a step of the backward pass.
//
//   delta_t  = dL/d(pre-activations), from the cell
//   dh_{t-1} = m W_hh' delta_t + what passes the cell directly
#pragma once

#include "kernels/recurrent/sequence_products.hpp"
#include "kernels/recurrent/state_copies.hpp"

namespace weft::WEFT_ISA {

/// The gradient of the state, shared by all threads: a row for each sorted row of the batch.
template <class T>
struct StateGradient {
  T *dh, *dc, *direct, *d_cell, *d_inner;

  static StateGradient take(Arena& arena, const Geometry<T>& g) {
    const int64_t rows = g.problem.batch;
    StateGradient s;
    s.dh = arena.take<T>(rows * g.h_row);
    s.dc = g.cell.has_c ? arena.take<T>(rows * g.c_row) : nullptr;
    s.direct = arena.take<T>(rows * g.h_row);
    s.d_cell = g.projected() ? arena.take<T>(rows * g.c_row) : nullptr;
    s.d_inner = g.cell.stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
    return s;
  }
  /// From a team's first row on.
  StateGradient of(const Geometry<T>& g, int64_t row) const {
    return {dh + row * g.h_row, dc ? dc + row * g.c_row : nullptr, direct + row * g.h_row,
            d_cell ? d_cell + row * g.c_row : nullptr, d_inner ? d_inner + row * g.h_row : nullptr};
  }
};

template <class T>
struct BackwardPart {
  const Geometry<T>& g;
  const RecurrentGradientViews<T>& grads;
  const BackwardWeights<T>& weights;
  const T* extra;  ///< padded
  Chunk<T> chunk;
  StateGradient<T> all;
  Worker worker;

  const RecurrentProblem<T>& p = g.problem;
  const RecurrentArguments<T>& a = g.arguments;
  StateGradient<T> own = all.of(g, worker.team);  ///< of the team's rows, `teams` rows apart
  int64_t stride = worker.teams, h_stride = stride * g.h_row, c_stride = stride * g.c_row;
  Range units = g.units(worker), columns = g.columns(worker);

  /// body(part) for each part of the team whose first part this is.
  template <class Body>
  void for_parts(const Body& body) const {
    if (worker.parts == 1) return body(*this);
    for_shares(worker.parts, [&](int part) {
      body(BackwardPart{g, grads, weights, extra, chunk, all, Worker(worker.thread + part, g.grid)});
    });
  }

  /// Where a step of the team's rows lies: their number; in the chunk, in the states and in what was saved.
  struct Step {
    int64_t step, rows, in_chunk, before, at;
    bool in_place;  ///< the states are the product's operands
    const T* h_prev;
  };

  /// Of `rows` of the team's rows; the chunk begins at step `begin`.
  Step at(const States<T>& states, int64_t begin, int64_t step, int64_t rows, bool in_place) const {
    const int64_t before = states.block(g, step) + worker.team;
    return {step,
            rows,
            g.row_steps(begin, step) + worker.team,
            before,
            states.row(g, step) + worker.team,
            in_place,
            states.h + before * g.h_row};
  }

  /// What a step does to its gradients before the cell: those of the outputs, and of the final states.
  void enter(const Step& s) const {
    gather(s);
    for (int64_t i = 0; i < s.rows; ++i) begin_row(s.step, i);
    if (has_direct()) split_direct(s.step, s.rows);
    if (!g.projected()) return;
    for (int64_t i = 0; i < s.rows; ++i)
      copy_row(chunk.d_outputs + (s.in_chunk + i * stride) * g.h_row, own.dh + i * h_stride, columns);
  }

  /// h = W_proj outputs  =>  d(outputs) = W_proj' dh
  void through_projection(const Step& s) const {
    gemm<T>(s.rows, units.end - units.begin, p.state, {own.dh, h_stride, 1},
            weights.w_proj.panels(units.begin), {}, own.d_cell + units.begin, c_stride);
  }

  /// Whether a part of dh passes the cell.
  bool has_direct() const { return g.cell.has_direct || a.zoneout_mask; }

  /// The cell's tile of this part's units.
  BackwardTile<T> tile(const States<T>& states, const Step& s) const {
    BackwardTile<T> tile{};
    tile.rows = s.rows;
    tile.units = units.end - units.begin;
    if (g.projected())
      tile.dh = {own.d_cell + units.begin, c_stride};
    else
      tile.dh = {own.dh + units.begin, h_stride};
    tile.dc = {own.dc + units.begin, c_stride};
    tile.direct = {own.direct + units.begin, h_stride};
    tile.saved = {states.saved + s.at * g.saved_row + units.begin, stride * g.saved_row, g.hidden};
    tile.extra = {extra + units.begin, 0, g.hidden};
    tile.h_prev = {s.h_prev + units.begin, h_stride};
    tile.operand = {(s.in_place ? s.h_prev : chunk.operands + s.in_chunk * g.h_row) + units.begin, h_stride};
    tile.deltas = {chunk.slots + s.in_chunk * g.slots_row + units.begin, stride * g.slots_row, g.hidden};
    if (g.cell.has_c) tile.c_prev = {states.c + s.before * g.c_row + units.begin, c_stride};
    return tile;
  }

  void last_stage(const States<T>& states, const Step& s) const {
    g.maths.backward[g.cell.stages - 1](tile(states, s));
  }
  /// Of two: its product's gradient comes from all parts' deltas of the second.
  void first_stage(const States<T>& states, const Step& s) const {
    product(1, s, {}, own.d_inner);
    BackwardTile<T> first = tile(states, s);
    first.d_inner = {own.d_inner + units.begin, h_stride};
    first.d_operand = {own.dh + units.begin, h_stride};
    first.inner = {chunk.inner + s.in_chunk * g.h_row + units.begin, h_stride};
    g.maths.backward[0](first);
  }

  /// dh of the step before, from all parts' deltas.
  void leave(const Step& s) const {
    Epilogue<T> start{};
    if (g.cell.stages > 1)
      start = {own.dh, h_stride};
    else if (has_direct() && !a.recurrent_dropout_mask)
      start = {own.direct, h_stride};
    product(0, s, start, own.dh);
    if (a.recurrent_dropout_mask || (has_direct() && start.start != own.direct))
      finish_operand(s.step, s.rows);
    if (a.resets) reset(s.step, s.rows);
  }

  /// out = start + W_hh' delta over the gates of a stage, of this part's columns.
  void product(int stage, const Step& s, Epilogue<T> start, T* out) const {
    const int64_t slot = g.cell.hidden_slot + g.cell.first_gate(stage);
    const T* deltas = chunk.slots + s.in_chunk * g.slots_row + slot * g.hidden;
    Blocks(columns, g.few_rows ? Geometry<T>::group : g.state).each(s.step, [&](int64_t n, int64_t count) {
      weights.state_product(g, stage, n, count, s.rows, {deltas, stride * g.slots_row, 1}, start.at(0, n),
                            out + n, h_stride);
    });
  }

  /// This part's columns of the chunk's rows of x, and of the state as it entered the product.
  void gather(const Step& s) const {
    const Range inputs = share(g.input, worker.part, worker.parts, lanes<T>);
    for (int64_t i = 0; i < s.rows; ++i) {
      const int64_t j = worker.sorted(i), to = s.in_chunk + i * stride;
      copy_or_zero(chunk.inputs + to * g.input_row, g.row_of(a.x, s.step, j), inputs, p.input);
      if (s.in_place) continue;
      T* operand = chunk.operands + to * g.h_row;
      const T* h_prev = s.h_prev + i * h_stride;
      if (a.recurrent_dropout_mask)
        mask_row(operand, h_prev, g.row_of(a.recurrent_dropout_mask, s.step, j), columns, p.state);
      else
        copy_row(operand, h_prev, columns);
    }
  }

  /// dh += dy; where the row's last step is this one, its gradients begin as those of the final states.
  void begin_row(int64_t step, int64_t i) const {
    const int64_t j = worker.sorted(i);
    T* dh = own.dh + i * h_stride;
    if (step + 1 == p.plan.length[j]) begin_state(i, p.plan.order[j]);
    if (!grads.dy) return;
    const T* dy = g.row_of(grads.dy, step, j);
    for_each_vector<T>(columns.begin, min_of(columns.end, p.state),
                       [&](int64_t k, int64_t n) { store(dh + k, load(dh + k) + load(dy + k, n)); });
  }
  void begin_state(int64_t i, int64_t b) const {
    copy_or_zero(own.dh + i * h_stride, row_of(grads.dh_n, b), columns, p.state);
    if (g.cell.has_c) copy_or_zero(own.dc + i * c_stride, row_of(grads.dc_n, b), units, p.hidden);
  }

  /// h = z h_prev + (1 - z) h'  =>  direct = z dh, dh' = (1 - z) dh; without zoneout direct begins at zero.
  void split_direct(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * h_stride, *direct = own.direct + i * h_stride;
      zero_row(direct, columns);
      if (!a.zoneout_mask) continue;
      const T* mask = g.row_of(a.zoneout_mask, step, worker.sorted(i));
      for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) {
        direct[k] = mask[k] * dh[k];
        dh[k] *= T(1) - mask[k];
      }
    }
  }

  /// dh_prev = m d(operand) + direct
  void finish_operand(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * h_stride, *direct = own.direct + i * h_stride;
      if (a.recurrent_dropout_mask) {
        const T* mask = g.row_of(a.recurrent_dropout_mask, step, worker.sorted(i));
        for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) dh[k] *= mask[k];
      }
      if (has_direct())
        for (int64_t k = columns.begin; k < columns.end; ++k) dh[k] += direct[k];
    }
  }

  void reset(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      if (!g.is_reset(step, worker.sorted(i))) continue;
      zero_row(own.dh + i * h_stride, columns);
      if (g.cell.has_c) zero_row(own.dc + i * c_stride, units);
    }
  }

  /// What no step writes: dx past a row's end, and the gradients of the initial states.
  void finish() const {
    const Range valid{columns.begin, min_of(columns.end, p.state)};
    for (int64_t i = 0, n = worker.rows(p.batch); i < n; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      if (grads.dx)
        for (int64_t t = length + worker.part; t < p.time; t += worker.parts)
          zero_row(grads.dx.data + b * grads.dx.stride[0] + t * grads.dx.stride[1], {0, p.input});
      if (length == 0) begin_state(i, b);
      copy_row(row_of(grads.dh0, b), own.dh + i * h_stride, valid);
      if (g.cell.has_c)
        copy_row(row_of(grads.dc0, b), own.dc + i * c_stride, {units.begin, min_of(units.end, p.hidden)});
    }
  }
};

}  // namespace weft::WEFT_ISA
