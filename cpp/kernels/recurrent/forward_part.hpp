// What one part of a team does in a step of the forward pass, and in the product of the inputs before it.
//
//   a_t = W_ih x_t + b_ih        b_t = W_hh (m h_{t-1}) + b_hh
//   (h_t, c_t) = cell(a_t, b_t, h_{t-1}, c_{t-1})
//   h_t = W_proj h_t where there is a projection;   h_t = z h_{t-1} + (1 - z) h_t under zoneout
//
// Units go in blocks: the recurrent product of a block, started from the inputs' part where the cell is
// joint, and the cell's maths on it while it is in the first-level cache.
#pragma once

#include "kernels/recurrent/forward_memory.hpp"
#include "kernels/recurrent/sequence_weights.hpp"
#include "kernels/recurrent/state_copies.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct ForwardPart {
  const Geometry<T>& g;
  const ForwardWeights<T>& weights;
  ForwardShared<T> shared;
  ForwardScratches<T> scratches;
  Worker worker;

  const RecurrentProblem<T>& p = g.problem;
  const RecurrentArguments<T>& a = g.arguments;
  ForwardScratch<T> own = scratches.of(worker, g);
  Range units = g.units(worker), columns = g.columns(worker);
  Blocks blocks{units, g.block};
  int64_t sums_row = row_stride<T>(g.cell.gates * (units.end - units.begin));  ///< between rows of own.sums

  /// body(part) for each part of the team whose first part this is.
  template <class Body>
  void for_parts(const Body& body) const {
    if (worker.parts == 1) return body(*this);
    for_shares(worker.parts, [&](int part) {
      body(ForwardPart{g, weights, shared, scratches, Worker(worker.thread + part, g.grid)});
    });
  }
  StateCopies<T> copies() const { return {g, worker, units, columns}; }

  /// The inputs' part of the pre-activations of this part's units, over the chunk [begin, end) of `rows`
  /// rows.
  void multiply_inputs(int64_t begin, int64_t end, int64_t rows) const {
    T* to = own.inputs;
    for (int64_t step = begin; step < end; ++step)
      for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i, to += g.input_row)
        copy_row(to, g.row_of(a.x, step, worker.sorted(i)), p.input);
    if (g.forward_in_place()) return;
    const int64_t column = g.cell.gates * units.begin;
    gemm<T>(rows, g.cell.gates * (units.end - units.begin), p.input, {own.inputs, g.input_row, 1},
            weights.w_ih.panels(column), {weights.b_ih + column, 0}, own.sums, sums_row);
  }

  /// A step of the team's rows.
  struct Step {
    int64_t step, rows;
    const T *h_prev, *c_prev;
    const T* operand;  ///< of the product: h_prev, or that masked
    const T* sums;     ///< the inputs' part of this part's units
    T *h, *c;          ///< the new states
    T* outputs;        ///< h before a projection
    T *inner, *saved;
  };
  /// Where it lies: the team's first row in the states before and after it, in what it saves, in own.sums.
  struct Place {
    int64_t before, after, saved, sums;
  };
  Step at(const States<T>& states, int64_t step, int64_t rows, const Place& place) const {
    Step s{};
    s.step = step, s.rows = rows;
    s.h_prev = states.h + place.before * g.h_row;
    s.operand = a.recurrent_dropout_mask ? shared.masked + worker.team * g.h_row : s.h_prev;
    s.sums = own.sums + place.sums * sums_row;
    s.h = states.h + place.after * g.h_row;
    s.outputs = g.projected() ? states.outputs + place.saved * g.outputs_row : s.h;
    if (g.cell.has_c) s.c_prev = states.c + place.before * g.c_row, s.c = states.c + place.after * g.c_row;
    if (g.cell.stages > 1) s.inner = shared.inner + worker.team * g.h_row;
    if (states.saved) s.saved = states.saved + place.saved * g.saved_row;
    return s;
  }
  Step at(const States<T>& states, int64_t step, int64_t rows, int64_t row) const {
    return at(states, step, rows,
              Place{states.block(g, step) + worker.team, states.block(g, step + 1) + worker.team,
                    states.row(g, step) + worker.team, row});
  }

  /// What a step does to the states before it: rows that are reset at it, and the mask of recurrent dropout.
  void enter(const States<T>& states, int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i), row = states.block(g, step) + j;
      T* h = states.h + row * g.h_row;
      if (a.resets && g.is_reset(step, j)) {
        zero_row(h, columns);
        if (g.cell.has_c) zero_row(states.c + row * g.c_row, units);
      }
      if (a.recurrent_dropout_mask)
        mask_row(shared.masked + j * g.h_row, h, g.row_of(a.recurrent_dropout_mask, step, j), columns,
                 p.state);
    }
  }

  /// The gates of one stage and the cell's maths on them.
  void run_stage(int stage, const Step& s) const {
    ForwardTile<T> tile = tile_of(s.rows);
    const Rows<T> left{stage == 0 ? s.operand : s.inner, worker.teams * g.h_row, 1};
    if (g.forward_in_place()) return run_stage_in_place(stage, s, left, tile);
    blocks.each(s.step, [&](int64_t unit, int64_t count) {
      run_cell(tile, stage, s, unit, count, multiply(stage, s, unit, count, left));
    });
  }

  /// Steps [begin, end) of one row on one thread, without options: few units take no longer than what is
  /// around them in run_forward, so this is left out.
  bool is_one_plain_row() const {
    return p.batch == 1 && worker.parts == 1 && g.cell.stages == 1 && !g.projected() && !a.resets &&
           !a.recurrent_dropout_mask && !a.zoneout_mask && !g.forward_in_place();
  }
  void run_one_row(const States<T>& states, int64_t begin, int64_t end,
                   const RecurrentResults<T>* out) const {
    ForwardTile<T> tile = tile_of(1);
    for (int64_t step = begin; step < end; ++step) {
      const int64_t i = step - states.first, before = states.ring ? i & 1 : i;
      const Step s = at(states, step, 1,
                        Place{before, states.ring ? before ^ 1 : i + 1, states.ring ? 0 : i, step - begin});
      blocks.each(step, [&](int64_t unit, int64_t count) __attribute__((always_inline)) {
        run_cell(tile, 0, s, unit, count, multiply(0, s, unit, count, {s.operand, 0, 1}));
      });
      if (!out) continue;
      if (step + 1 < p.plan.steps)
        copy_row(g.row_of(out->y, step, 0), s.h, p.state);
      else
        copies().emit(states, step, 1, *out);
    }
  }

  /// Once this part's columns of the new state are there: zoneout, and the caller's copies.
  void leave(const States<T>& states, const Step& s, const RecurrentResults<T>* out) const {
    const int64_t row = worker.teams * g.h_row;
    if (a.zoneout_mask)
      for (int64_t i = 0; i < s.rows; ++i) {
        const T *mask = g.row_of(a.zoneout_mask, s.step, worker.sorted(i)), *then = s.h_prev + i * row;
        T* now = s.h + i * row;
        for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k)
          now[k] = mask[k] * then[k] + (T(1) - mask[k]) * now[k];
      }
    if (out) copies().emit(states, s.step, s.rows, *out);
  }

  /// h = W_proj outputs, of this part's columns.
  void project(const Step& s) const {
    gemm<T>(s.rows, columns.end - columns.begin, p.hidden, {s.outputs, worker.teams * g.outputs_row, 1},
            weights.w_proj.panels(columns.begin), {}, s.h + columns.begin, worker.teams * g.h_row);
  }

 private:
  /// What the tiles of all blocks share.
  ForwardTile<T> tile_of(int64_t rows) const {
    const int64_t stride = worker.teams;
    ForwardTile<T> tile{};
    tile.rows = rows;
    tile.extra.gate = tile.saved.gate = g.hidden;
    tile.h_prev.row = tile.operand.row = tile.inner.row = stride * g.h_row;
    tile.h.row = stride * (g.projected() ? g.outputs_row : g.h_row);
    tile.c_prev.row = tile.c.row = stride * g.c_row;
    tile.saved.row = stride * g.saved_row;
    return tile;
  }

  /// The recurrent product of a block of units, to own.tile. Returns where their inputs' part is.
  [[gnu::always_inline]] Gates<const T> multiply(int stage, const Step& s, int64_t unit, int64_t count,
                                                 Rows<T> left) const {
    const int first_gate = g.cell.first_gate(stage);
    const int64_t columns = g.cell.stage_gates[stage] * count;
    const Gates<const T> input{s.sums + (unit - units.begin) * g.cell.gates, sums_row, count};
    const Epilogue<T> start = g.cell.joint
                                  ? Epilogue<T>{input.at(0, first_gate, 0), input.row}
                                  : Epilogue<T>{weights.b_hh + unit * g.cell.gates + first_gate * count, 0};
    const Panels<T> w = weights.block(g, unit, count, first_gate);
    if (s.rows == 1 &&
        p.state <= depth_block)  // few units take no longer than the product's own instructions
      if (const Tile<T> run = tile_of_one_row<T>(columns / lanes<T>)) {
        run(p.state, left, w, start, own.tile, 0, lanes<T>);
        return input;
      }
    gemm<T>(s.rows, columns, p.state, left, w, start, own.tile, columns);
    return input;
  }

  /// Inputs' part included, with weights that are not packed.
  __attribute__((noinline)) void run_stage_in_place(int stage, const Step& s, const Rows<T>& left,
                                                    ForwardTile<T>& tile) const {
    const int first_gate = g.cell.first_gate(stage), gates = g.cell.stage_gates[stage];
    const auto x = own.in_place.input(g, s.rows, {own.inputs, g.input_row, 1});
    const auto state = own.in_place.state(g, s.rows, left);
    blocks.each(s.step, [&](int64_t unit, int64_t count) {
      const int64_t column = unit * g.cell.gates;
      own.in_place.block(g, s.rows, unit, count, first_gate, gates, weights.b_ih + column,
                         weights.b_hh + column, x, state, own.sums, own.tile);
      run_cell(tile, stage, s, unit, count, {own.sums, gates * count, count});
    });
  }

  /// The cell's maths on a block of units, whose sums are in own.tile. Of `tile` all is set that blocks
  /// share.
  [[gnu::always_inline]] void run_cell(ForwardTile<T>& tile, int stage, const Step& s, int64_t unit,
                                       int64_t count, Gates<const T> input) const {
    tile.units = count;
    tile.sum = {own.tile, g.cell.stage_gates[stage] * count, count};
    tile.input = input;
    tile.extra.data = weights.extra + unit;
    tile.h_prev.data = s.h_prev + unit;
    tile.operand.data = s.operand + unit;
    tile.h.data = s.outputs + unit;
    if (g.cell.has_c) tile.c_prev.data = s.c_prev + unit, tile.c.data = s.c + unit;
    if (s.inner) tile.inner.data = s.inner + unit;
    if (s.saved) tile.saved.data = s.saved + unit;
    g.maths.forward[stage](tile);
  }
};

}  // namespace weft::WEFT_ISA
