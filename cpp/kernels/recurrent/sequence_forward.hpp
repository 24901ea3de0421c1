// The sequence driver, forward. Per chunk of steps one product of the inputs; per step the recurrent product
// of a block of units, started from the inputs' part where the cell is joint, and the cell's maths on it
// while it is in the first-level cache.
//
//   a_t = W_ih x_t + b_ih        b_t = W_hh (m h_{t-1}) + b_hh
//   (h_t, c_t) = cell(a_t, b_t, h_{t-1}, c_{t-1})
//   h_t = W_proj h_t where there is a projection;   h_t = z h_{t-1} + (1 - z) h_t under zoneout
//
// Where a team has parts, a phase of a step ends once all of them have written what each reads next: the
// masked operand, the first stage's inner operand, the outputs before a projection, and the state.
#pragma once

#include "kernels/recurrent/sequence_in_place.hpp"
#include "kernels/recurrent/sequence_weights.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct SequenceForward {
  using G = Geometry<T>;

  /// Shared by all threads, a row for each row of the batch.
  struct Shared {
    T *masked, *inner;

    static Shared take(Arena& arena, const G& g) {
      const int64_t size = g.problem.batch * g.h_row;
      return {g.problem.recurrent_mask ? arena.take<T>(size) : nullptr,
              g.cell.stages > 1 ? arena.take<T>(size) : nullptr};
    }
  };
  /// One part's: a chunk's inputs and their products, and a step's block.
  struct Scratch {
    T *inputs, *sums, *tile;
    InPlaceProducts<T> in_place;

    static Scratch take(Arena& arena, const G& g) {
      const int64_t chunk = g.largest_chunk();
      return {arena.take<T>(chunk * g.input_row), arena.take<T>(chunk * g.gates_row),
              arena.take<T>(g.problem.batch * g.cell.gates * g.block), InPlaceProducts<T>::take(arena, g)};
    }
  };
  /// Where each of them lies.
  struct Scratches {
    char* memory;
    size_t each;

    Scratch of(const Worker& worker, const G& g) const {
      Arena arena(memory + size_t(worker.thread) * each);
      return Scratch::take(arena, g);
    }
  };

  const G& g;
  const RecurrentProblem<T>& p;
  const ForwardWeights<T>& weights;
  Shared shared;
  Scratches scratches;
  Worker worker;
  Scratch own = scratches.of(worker, g);
  Range units = g.units(worker), columns = g.columns(worker);
  Blocks blocks{units, g.block};

  /// body(part) for each part of the team whose first part this is.
  template <class Body>
  void for_parts(const Body& body) const {
    if (worker.parts == 1) return body(*this);
    for_shares(worker.parts, [&](int part) {
      body(SequenceForward{g, p, weights, shared, scratches, Worker(worker.thread + part, g.grid)});
    });
  }

  /// Copies the caller's initial states into the first block.
  void start(const States<T>& states) const {
    const int64_t rows = p.plan.steps == 0 ? 0 : worker.rows(g.active(0));
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j];
      copy_or_zero(states.h + j * g.h_row, p.h0, b * p.h0_row, columns, p.state);
      if (g.cell.has_c) copy_or_zero(states.c + j * g.c_row, p.c0, b * p.c0_row, units, p.hidden);
    }
  }

  /// The team's steps [first, last); `out` is null where a segment is only computed again. Leaves the states
  /// in `states`.
  void run(const States<T>& states, int64_t first, int64_t last, const RecurrentOutputs<T>* out) const {
    const int64_t most = max_of(chunk_rows, worker.rows(p.batch));
    for (int64_t begin = first; begin < last && worker.rows(g.active(begin)) > 0 && !interrupted();) {
      int64_t end = begin, rows = 0;
      while (end < last && (end == begin || rows + worker.rows(g.active(end)) <= most))
        rows += worker.rows(g.active(end++));
      for_parts([&](const SequenceForward& part) { part.multiply_inputs(begin, end, rows); });
      if (is_one_plain_row()) {
        steps_of_one_row(states, begin, end, out);
      } else {
        int64_t row = 0;
        for (int64_t step = begin; step < end; ++step) {
          one_step(states, step, row, out);
          row += worker.rows(g.active(step));
        }
      }
      begin = end;
    }
  }

  /// How far apart the rows of own.sums lie.
  int64_t sums_row() const { return row_stride<T>(g.cell.gates * (units.end - units.begin)); }

  /// The inputs' part of the pre-activations of this part's units, over the chunk [begin, end) of `rows`
  /// rows.
  void multiply_inputs(int64_t begin, int64_t end, int64_t rows) const {
    gather(begin, end);
    if (g.forward_in_place()) return;
    const int64_t column = g.cell.gates * units.begin;
    gemm<T>(rows, g.cell.gates * (units.end - units.begin), p.input, {own.inputs, g.input_row, 1},
            weights.w_ih.panels(column), {weights.b_ih + column, 0}, own.sums, sums_row());
  }

  /// The rows of x at steps [begin, end), dense.
  void gather(int64_t begin, int64_t end) const {
    T* to = own.inputs;
    for (int64_t step = begin; step < end; ++step)
      for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i, to += g.input_row) {
        const int64_t j = worker.sorted(i);
        copy_row(to, p.x + p.plan.order[j] * p.x_batch + g.time_of(step, j) * p.x_time, p.input);
      }
  }

  /// Zeroes the states, before this step, of rows that are reset at it.
  void reset(const States<T>& states, int64_t step) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), row = states.block(g, step) + j;
      if (!p.resets[p.plan.order[j] * p.resets_batch + g.time_of(step, j) * p.resets_time]) continue;
      zero_row(states.h + row * g.h_row, columns);
      if (g.cell.has_c) zero_row(states.c + row * g.c_row, units);
    }
  }

  /// The state as it enters the product, under recurrent dropout.
  void mask(const States<T>& states, int64_t step) const {
    const T* h_prev = states.h + (states.block(g, step) + worker.team) * g.h_row;
    T* to = shared.masked + worker.team * g.h_row;
    const int64_t row = worker.teams * g.h_row;
    for (int64_t i = 0; i < worker.rows(g.active(step)); ++i) {
      const T* mask = mask_row(p.recurrent_mask, p.recurrent_mask_batch, p.recurrent_mask_time, step, i);
      for (int64_t k = columns.begin; k < columns.end; ++k)
        to[i * row + k] = k < p.state ? h_prev[i * row + k] * mask[k] : T(0);
    }
  }

  /// Whose rows of the inputs' part begin at `row` of own.sums.
  void one_step(const States<T>& states, int64_t step, int64_t row, const RecurrentOutputs<T>* out) const {
    if (p.resets || p.recurrent_mask)
      for_parts([&](const SequenceForward& part) { part.enter(states, step); });
    for_parts([&](const SequenceForward& part) {
      const Step s = part.at(states, step, row);
      part.stage(0, s.tile, step, s.operand, s.sums);
      if (g.cell.stages == 1 && !g.projected()) part.leave(states, step, s.h, out);
    });
    if (g.cell.stages > 1)
      for_parts([&](const SequenceForward& part) {
        const Step s = part.at(states, step, row);
        part.stage(1, s.tile, step, {s.tile.inner.data, s.tile.inner.row, 1}, s.sums);
        if (!g.projected()) part.leave(states, step, s.h, out);
      });
    if (g.projected())
      for_parts([&](const SequenceForward& part) {
        const Step s = part.at(states, step, row);
        const Range to = part.columns;
        gemm<T>(s.tile.rows, to.end - to.begin, p.hidden, {s.tile.h.data, s.tile.h.row, 1},
                weights.w_proj.panels(to.begin), {}, s.h + to.begin, worker.teams * g.h_row);
        part.leave(states, step, s.h, out);
      });
  }

  /// What a step does to the states before it: resets, and the mask of recurrent dropout.
  void enter(const States<T>& states, int64_t step) const {
    if (p.resets) reset(states, step);
    if (p.recurrent_mask) mask(states, step);
  }

  /// A step of the team's rows: its tile over all units, the operand of its product, where the inputs' part
  /// of this part's units begins, and the new states.
  struct Step {
    ForwardTile<T> tile;
    Rows<T> operand;
    const T* sums;
    T* h;
  };
  Step at(const States<T>& states, int64_t step, int64_t row) const {
    const int64_t rows = worker.rows(g.active(step)), stride = worker.teams;
    const int64_t before = states.block(g, step) + worker.team,
                  after = states.block(g, step + 1) + worker.team;
    const int64_t at = states.row(g, step) + worker.team;
    const T* h_prev = states.h + before * g.h_row;
    Rows<T> operand{h_prev, stride * g.h_row, 1};
    if (p.recurrent_mask) operand.data = shared.masked + worker.team * g.h_row;
    ForwardTile<T> tile{};
    tile.rows = rows;
    T* h = states.h + after * g.h_row;
    T* outputs = g.projected() ? states.outputs + at * g.outputs_row : nullptr;
    tile.h_prev = {h_prev, stride * g.h_row};
    tile.operand = {operand.data, operand.row};
    tile.h = outputs ? Units<T>{outputs, stride * g.outputs_row} : Units<T>{h, stride * g.h_row};
    tile.saved = {states.saved ? states.saved + at * g.saved_row : nullptr, stride * g.saved_row, g.hidden};
    if (g.cell.has_c) {
      tile.c_prev = {states.c + before * g.c_row, stride * g.c_row};
      tile.c = {states.c + after * g.c_row, stride * g.c_row};
    }
    if (g.cell.stages > 1) tile.inner = {shared.inner + worker.team * g.h_row, stride * g.h_row};
    return {tile, operand, own.sums + row * sums_row(), h};
  }

  /// What follows once this part's columns of the new state `h` are there: zoneout, and the caller's copies.
  void leave(const States<T>& states, int64_t step, T* h, const RecurrentOutputs<T>* out) const {
    if (p.zoneout_mask) {
      const T* h_prev = states.h + (states.block(g, step) + worker.team) * g.h_row;
      const int64_t row = worker.teams * g.h_row;
      for (int64_t i = 0; i < worker.rows(g.active(step)); ++i) {
        const T* mask = mask_row(p.zoneout_mask, p.zoneout_batch, p.zoneout_time, step, i);
        T* now = h + i * row;
        const T* then = h_prev + i * row;
        for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k)
          now[k] = mask[k] * then[k] + (T(1) - mask[k]) * now[k];
      }
    }
    if (out) emit(states, step, *out);
  }

  /// One row on one thread, without options: few units take no longer than one_step's own instructions, so
  /// these are left out.
  bool is_one_plain_row() const {
    return p.batch == 1 && worker.parts == 1 && g.cell.stages == 1 && !g.projected() && !p.resets &&
           !p.recurrent_mask && !p.zoneout_mask && !g.forward_in_place() && p.state <= depth_block;
  }
  void steps_of_one_row(const States<T>& states, int64_t begin, int64_t end,
                        const RecurrentOutputs<T>* out) const {
    const int64_t row = sums_row(), gates = g.cell.gates;
    const bool joint = g.cell.joint, has_c = g.cell.has_c;
    ForwardTile<T> whole{};
    whole.rows = 1;
    whole.saved = {nullptr, 0, g.hidden};
    for (int64_t step = begin; step < end; ++step) {
      const int64_t at = step - states.first;
      const int64_t before = states.ring ? at & 1 : at, after = states.ring ? before ^ 1 : at + 1;
      const T* h_prev = states.h + before * g.h_row;
      T* h = states.h + after * g.h_row;
      whole.h_prev.data = whole.operand.data = h_prev;
      whole.h.data = h;
      if (states.saved) whole.saved.data = states.saved + at * g.saved_row;
      if (has_c) {
        whole.c_prev.data = states.c + before * g.c_row;
        whole.c.data = states.c + after * g.c_row;
      }
      const T* sums = own.sums + (step - begin) * row;
      blocks.each(step, [&](int64_t unit, int64_t count) {
        const int64_t column = unit * gates, width = gates * count;
        const T* start = joint ? sums + column : weights.b_hh + column;
        const Panels<T> b = weights.block(g, unit, count, 0);
        if (const Tile<T> run = tile_of_one_row<T>(width / lanes<T>))
          run(p.state, {h_prev, 0, 1}, b, {start, 0}, own.tile, 0, lanes<T>);
        else
          gemm<T>(1, width, p.state, {h_prev, 0, 1}, b, {start, 0}, own.tile, 0);
        run_cell(0, whole, unit, count, {sums + column, 0, count});
      });
      if (out) copy_row(out->y + g.time_of(step, 0) * out->y_time, h, p.state);
      if (!out || step + 1 < p.plan.steps) continue;
      copy_row(out->h_n, h, p.state);
      if (has_c) copy_row(out->c_n, whole.c.data, p.hidden);
    }
  }

  /// The gates of one stage, of this thread's units; `whole` points at the rows' first unit.
  void stage(int stage, const ForwardTile<T>& whole, int64_t step, Rows<T> left, const T* sums) const {
    if (g.forward_in_place()) return stage_in_place(stage, whole, step, left);
    const int first_gate = g.cell.first_gate(stage), gates = g.cell.stage_gates[stage];
    const int64_t row = sums_row();
    blocks.each(step, [&](int64_t unit, int64_t count) {
      const int64_t column = unit * g.cell.gates;
      const T* input = sums + column - units.begin * g.cell.gates;
      const Epilogue<T> start = g.cell.joint ? Epilogue<T>{input + first_gate * count, row}
                                             : Epilogue<T>{weights.b_hh + column + first_gate * count, 0};
      gemm<T>(whole.rows, gates * count, p.state, left, weights.block(g, unit, count, first_gate), start,
              own.tile, gates * count);
      run_cell(stage, whole, unit, count, {input, row, count});
    });
  }

  /// The same, inputs' part included, with weights that are not packed.
  __attribute__((noinline)) void stage_in_place(int stage, const ForwardTile<T>& whole, int64_t step,
                                                Rows<T> left) const {
    const int first_gate = g.cell.first_gate(stage), gates = g.cell.stage_gates[stage];
    const auto x = own.in_place.input(p, whole.rows, {own.inputs, g.input_row, 1});
    const auto state = own.in_place.state(p, whole.rows, left);
    blocks.each(step, [&](int64_t unit, int64_t count) {
      const int64_t column = unit * g.cell.gates;
      own.in_place.block(g, whole.rows, unit, count, first_gate, gates, weights.b_ih + column,
                         weights.b_hh + column, x, state, own.sums, own.tile);
      run_cell(stage, whole, unit, count, {own.sums, gates * count, count});
    });
  }

  /// The cell's maths on a block of units, whose sums are in own.tile.
  void run_cell(int stage, const ForwardTile<T>& whole, int64_t unit, int64_t count,
                Gates<const T> input) const {
    const auto from = [&](auto units) {
      if (units.data) units.data += unit;
      return units;
    };
    g.maths.forward[stage]({.rows = whole.rows,
                            .units = count,
                            .sum = {own.tile, g.cell.stage_gates[stage] * count, count},
                            .input = input,
                            .extra = {weights.extra + unit, 0, g.hidden},
                            .h_prev = from(whole.h_prev),
                            .c_prev = from(whole.c_prev),
                            .operand = from(whole.operand),
                            .h = from(whole.h),
                            .c = from(whole.c),
                            .inner = from(whole.inner),
                            .saved = from(whole.saved)});
  }

  const T* mask_row(const T* mask, int64_t batch_stride, int64_t time_stride, int64_t step,
                    int64_t local) const {
    const int64_t j = worker.sorted(local);
    return mask + p.plan.order[j] * batch_stride + g.time_of(step, j) * time_stride;
  }

  /// Hands the step's states to the caller: y, and the final states of rows that end here.
  void emit(const States<T>& states, int64_t step, const RecurrentOutputs<T>& out) const {
    const int64_t after = states.block(g, step + 1);
    const Range valid{columns.begin, min_of(columns.end, p.state)};
    const Range valid_units{units.begin, min_of(units.end, p.hidden)};
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j];
      const T* h = states.h + (after + j) * g.h_row;
      copy_row(out.y + b * out.y_batch + g.time_of(step, j) * out.y_time, h, valid);
      if (step + 1 < p.plan.length[j]) continue;
      copy_row(out.h_n + b * out.h_n_row, h, valid);
      if (g.cell.has_c) copy_row(out.c_n + b * out.c_n_row, states.c + (after + j) * g.c_row, valid_units);
    }
  }

  /// The states before a segment's first step, kept for backward.
  void keep(const States<T>& states, int64_t step, const Saved<T>& saved, int64_t segment) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), from = states.block(g, step) + j, to = segment * p.batch + j;
      copy_row(saved.h + to * g.h_row, states.h + from * g.h_row, columns);
      if (g.cell.has_c) copy_row(saved.c + to * g.c_row, states.c + from * g.c_row, units);
    }
  }

  /// What no step writes: y past a row's end, and the final states of rows without a step.
  void emit_padding(const RecurrentOutputs<T>& out) const {
    for (int64_t i = 0, n = worker.rows(p.batch); i < n; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      for (int64_t t = length; t < p.time; ++t)
        zero_row(out.y + b * out.y_batch + t * out.y_time, {0, p.state});
      if (length > 0) continue;
      copy_or_zero(out.h_n + b * out.h_n_row, p.h0, b * p.h0_row, {0, p.state}, p.state);
      if (g.cell.has_c) copy_or_zero(out.c_n + b * out.c_n_row, p.c0, b * p.c0_row, {0, p.hidden}, p.hidden);
    }
  }
};

template <class T>
struct ForwardWorkspace {
  ForwardWeights<T> weights;
  typename SequenceForward<T>::Shared shared;
  States<T> ring;  ///< where nothing is saved

  static ForwardWorkspace take(Arena& arena, const Geometry<T>& g, bool keeps_all) {
    ForwardWorkspace w;
    w.weights = ForwardWeights<T>::take(arena, g);
    w.shared = SequenceForward<T>::Shared::take(arena, g);
    if (!keeps_all) w.ring = States<T>::take_ring(arena, g, g.problem.batch, g.cell.stages > 1);
    return w;
  }
};

template <class T>
void forward_one(const ForwardJob<T>& job, const Geometry<T>& g) {
  using Forward = SequenceForward<T>;
  const RecurrentProblem<T>& p = job.problem;
  const bool keeps_all = job.saved != nullptr && p.checkpoint_every == 0;
  Arena saved_arena(job.saved), arena(job.workspace), counter(nullptr);
  Saved<T> saved;
  if (job.saved) saved = Saved<T>::take(saved_arena, g);
  auto shared = ForwardWorkspace<T>::take(arena, g, keeps_all);
  Forward::Scratch::take(counter, g);
  const typename Forward::Scratches scratches{static_cast<char*>(job.workspace) + arena.used(),
                                              counter.used()};
  const int threads = g.grid.threads();
  for_shares(threads, [&](int thread) { shared.weights.pack(g, thread, threads); });
  const States<T> states = keeps_all ? saved.all : shared.ring;
  for_shares(g.grid.teams, [&](int team) {
    const Forward forward{
        g, p, shared.weights, shared.shared, scratches, Worker(team * g.grid.parts, g.grid)};
    forward.for_parts([&](const Forward& part) { part.start(states); });
    for (int64_t s = 0; s < g.segments(); ++s) {
      const int64_t first = s * g.segment(), last = min_of(first + g.segment(), p.plan.steps);
      if (job.saved && !keeps_all)
        forward.for_parts([&](const Forward& part) { part.keep(states, first, saved, s); });
      forward.run(states, first, last, &job.outputs);
    }
    forward.emit_padding(job.outputs);
  });
}

template <class T>
void sequence_forward(const ForwardJob<T>* jobs, int count) {
  run_jobs<T>(jobs, count, &forward_one<T>);
}

}  // namespace weft::WEFT_ISA
