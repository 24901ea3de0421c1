// The sequence driver, forward. Per chunk of steps one product of the inputs; per step the recurrent product
// of a block of units and the cell's maths on it while it is in the first-level cache.
//
//   a_t = W_ih x_t + b_ih        b_t = W_hh (m h_{t-1}) + b_hh        (h_t, c_t) = cell(a_t, b_t, h_{t-1},
//   c_{t-1}) h_t = W_proj h_t where there is a projection;   h_t = z h_{t-1} + (1 - z) h_t under zoneout
#pragma once

#include "sequence.hpp"

namespace weft::WEFT_ISA {

template <class T, class Cell>
struct SequenceForward {
  using G = Geometry<T, Cell>;

  /// One thread's scratch.
  struct Scratch {
    T *inputs, *sums, *tile, *masked, *inner;
  };

  const G& g;
  const RecurrentProblem<T>& p;
  const ForwardWeights<T, Cell>& weights;
  Scratch scratch;
  Team team;

  /// Enough for the whole batch, since a region may start with fewer threads than it asked for.
  static Scratch take_scratch(Arena& arena, const G& g) {
    const RecurrentProblem<T>& p = g.problem;
    const int64_t rows = p.batch, chunk = g.largest_chunk();
    Scratch s;
    s.inputs = arena.take<T>(chunk * g.input_row);
    s.sums = arena.take<T>(chunk * g.gates_row);
    s.tile = arena.take<T>(rows * Cell::gates * G::block);
    s.masked = p.recurrent_mask ? arena.take<T>(rows * g.h_row) : nullptr;
    s.inner = Cell::stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
    return s;
  }

  /// Copies the caller's initial states of this thread's rows into the first block.
  void start(States<T>& states) const {
    const int64_t rows = p.plan.steps == 0 ? 0 : team.rows(g.active(0));
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = team.sorted(i), b = p.plan.order[j];
      T* h = states.h + j * g.h_row;
      if (p.h0)
        copy_row_padded(h, p.h0 + b * p.h0_row, p.state, g.state);
      else
        zero_row(h, g.state);
      if constexpr (Cell::has_c) {
        T* c = states.c + j * g.c_row;
        if (p.c0)
          copy_row_padded(c, p.c0 + b * p.c0_row, p.hidden, g.hidden);
        else
          zero_row(c, g.hidden);
      }
    }
  }

  /// Steps [first, last); `out` is null where a segment is only computed again. Leaves the states in
  /// `states`.
  void run(States<T>& states, int64_t first, int64_t last, const RecurrentOutputs<T>* out) const {
    const int64_t most = max_of(chunk_rows, team.rows(p.batch));
    for (int64_t begin = first; begin < last && team.rows(g.active(begin)) > 0;) {
      int64_t end = begin, rows = 0;
      while (end < last && (end == begin || rows + team.rows(g.active(end)) <= most))
        rows += team.rows(g.active(end++));
      gather(begin, end);
      gemm<T>(rows, Cell::gates * g.hidden, p.input, {scratch.inputs, g.input_row, 1},
              panels(weights.w_ih, p.input), {weights.b_ih, 0}, scratch.sums, g.gates_row);
      int64_t row = 0;
      for (int64_t step = begin; step < end; ++step) {
        one_step(states, step, scratch.sums + row * g.gates_row);
        if (out) emit(states, step, *out);
        row += team.rows(g.active(step));
      }
      begin = end;
    }
  }

  /// The rows of x at steps [begin, end), dense.
  void gather(int64_t begin, int64_t end) const {
    T* to = scratch.inputs;
    for (int64_t step = begin; step < end; ++step)
      for (int64_t i = 0, n = team.rows(g.active(step)); i < n; ++i, to += g.input_row) {
        const int64_t j = team.sorted(i);
        copy_row(to, p.x + p.plan.order[j] * p.x_batch + g.time_of(step, j) * p.x_time, p.input);
      }
  }

  /// Zeroes the states, before this step, of rows that are reset at it.
  void reset(States<T>& states, int64_t step) const {
    for (int64_t i = 0, n = team.rows(g.active(step)); i < n; ++i) {
      const int64_t j = team.sorted(i);
      if (!p.resets[p.plan.order[j] * p.resets_batch + g.time_of(step, j) * p.resets_time]) continue;
      zero_row(states.h + (states.block(g, step) + j) * g.h_row, g.state);
      if constexpr (Cell::has_c) zero_row(states.c + (states.block(g, step) + j) * g.c_row, g.hidden);
    }
  }

  void one_step(States<T>& states, int64_t step, const T* sums) const {
    const int64_t rows = team.rows(g.active(step)), stride = team.threads;
    const int64_t before = states.block(g, step) + team.thread,
                  after = states.block(g, step + 1) + team.thread;
    const int64_t at = states.row(g, step) + team.thread;
    if (p.resets) reset(states, step);

    const T* h_prev = states.h + before * g.h_row;
    Rows<T> operand{h_prev, stride * g.h_row, 1};
    if (p.recurrent_mask) {
      for (int64_t i = 0; i < rows; ++i) {
        const T* mask = mask_row(p.recurrent_mask, p.recurrent_mask_batch, p.recurrent_mask_time, step, i);
        for (int64_t k = 0; k < p.state; ++k)
          scratch.masked[i * g.h_row + k] = h_prev[i * operand.row + k] * mask[k];
        zero_row(scratch.masked + i * g.h_row + p.state, g.state - p.state);
      }
      operand = {scratch.masked, g.h_row, 1};
    }

    ForwardTile<T> tile{};
    tile.rows = rows;
    T* h = states.h + after * g.h_row;
    T* outputs = g.projected() ? states.outputs + at * g.outputs_row : nullptr;
    const int64_t h_stride = stride * (outputs ? g.outputs_row : g.h_row);
    T* saved = states.saved ? states.saved + at * g.saved_row : nullptr;
    stage<0>(tile, states, operand, operand, sums, before, after, outputs ? outputs : h, h_stride, saved);
    if constexpr (Cell::stages > 1)
      stage<1>(tile, states, {scratch.inner, g.h_row, 1}, operand, sums, before, after, outputs ? outputs : h,
               h_stride, saved);

    if (outputs)
      gemm<T>(rows, g.state, p.hidden, {outputs, h_stride, 1}, panels(weights.w_proj, p.hidden), {}, h,
              stride * g.h_row);
    if (p.zoneout_mask)
      for (int64_t i = 0; i < rows; ++i) {
        const T* mask = mask_row(p.zoneout_mask, p.zoneout_batch, p.zoneout_time, step, i);
        T* now = h + i * stride * g.h_row;
        const T* then = h_prev + i * stride * g.h_row;
        for (int64_t k = 0; k < p.state; ++k) now[k] = mask[k] * then[k] + (T(1) - mask[k]) * now[k];
      }
  }

  template <int Stage>
  void stage(ForwardTile<T> tile, States<T>& states, Rows<T> left, Rows<T> operand, const T* sums,
             int64_t before, int64_t after, T* h, int64_t h_stride, T* saved) const {
    constexpr int first_gate = Stage == 0 ? 0 : Cell::stage_gates[0];
    constexpr int gates = Cell::stage_gates[Stage];
    const int64_t stride = team.threads;
    for (int64_t unit = 0; unit < g.hidden; unit += G::block) {
      const int64_t units = min_of(G::block, g.hidden - unit);
      const int64_t column = unit * Cell::gates + first_gate * units;
      gemm<T>(tile.rows, gates * units, p.state, left, panels(weights.w_hh + column * p.state, p.state),
              {weights.b_hh + column, 0}, scratch.tile, gates * units);
      tile.units = units;
      tile.input = {sums + unit, g.gates_row, g.hidden};
      tile.hidden = {scratch.tile, gates * units, units};
      tile.extra = {weights.extra + unit, 0, g.hidden};
      tile.h_prev = {states.h + before * g.h_row + unit, stride * g.h_row};
      tile.operand = {operand.data + unit, operand.row};
      tile.h = {h + unit, h_stride};
      tile.inner = {scratch.inner + unit, g.h_row};
      tile.saved = {saved ? saved + unit : nullptr, stride * g.saved_row, g.hidden};
      if constexpr (Cell::has_c) {
        tile.c_prev = {states.c + before * g.c_row + unit, stride * g.c_row};
        tile.c = {states.c + after * g.c_row + unit, stride * g.c_row};
      }
      Cell::template forward<Stage, T>(tile);
    }
  }

  const T* mask_row(const T* mask, int64_t batch_stride, int64_t time_stride, int64_t step,
                    int64_t local) const {
    const int64_t j = team.sorted(local);
    return mask + p.plan.order[j] * batch_stride + g.time_of(step, j) * time_stride;
  }

  /// Hands the step's states to the caller: y, and the final states of rows that end here.
  void emit(const States<T>& states, int64_t step, const RecurrentOutputs<T>& out) const {
    const int64_t after = states.block(g, step + 1);
    for (int64_t i = 0, n = team.rows(g.active(step)); i < n; ++i) {
      const int64_t j = team.sorted(i), b = p.plan.order[j];
      const T* h = states.h + (after + j) * g.h_row;
      copy_row(out.y + b * out.y_batch + g.time_of(step, j) * out.y_time, h, p.state);
      if (step + 1 < p.plan.length[j]) continue;
      copy_row(out.h_n + b * out.h_n_row, h, p.state);
      if constexpr (Cell::has_c)
        copy_row(out.c_n + b * out.c_n_row, states.c + (after + j) * g.c_row, p.hidden);
    }
  }

  /// What no step writes: y past a row's end, and the final states of rows without a step.
  void emit_padding(const RecurrentOutputs<T>& out) const {
    for (int64_t i = 0, n = team.rows(p.batch); i < n; ++i) {
      const int64_t j = team.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      for (int64_t t = length; t < p.time; ++t) zero_row(out.y + b * out.y_batch + t * out.y_time, p.state);
      if (length > 0) continue;
      if (p.h0)
        copy_row(out.h_n + b * out.h_n_row, p.h0 + b * p.h0_row, p.state);
      else
        zero_row(out.h_n + b * out.h_n_row, p.state);
      if constexpr (Cell::has_c) {
        if (p.c0)
          copy_row(out.c_n + b * out.c_n_row, p.c0 + b * p.c0_row, p.hidden);
        else
          zero_row(out.c_n + b * out.c_n_row, p.hidden);
      }
    }
  }
};

template <class T, class Cell>
struct ForwardWorkspace {
  ForwardWeights<T, Cell> weights;
  States<T> ring;  ///< where nothing is saved

  static ForwardWorkspace take(Arena& arena, const Geometry<T, Cell>& g, bool keeps_all) {
    ForwardWorkspace w;
    w.weights = ForwardWeights<T, Cell>::take(arena, g);
    if (!keeps_all) w.ring = States<T>::take_ring(arena, g, g.problem.batch, Cell::has_c, Cell::stages > 1);
    return w;
  }
};

template <class T, class Cell>
void sequence_forward(const RecurrentProblem<T>& p, const RecurrentOutputs<T>& out, void* saved_memory,
                      void* workspace) {
  const Geometry<T, Cell> g(p);
  const bool keeps_all = saved_memory != nullptr && p.checkpoint_every == 0;
  Arena saved_arena(saved_memory), arena(workspace);
  Saved<T, Cell> saved;
  if (saved_memory) saved = Saved<T, Cell>::take(saved_arena, g);
  auto shared = ForwardWorkspace<T, Cell>::take(arena, g, keeps_all);
  States<T> states = keeps_all ? saved.all : shared.ring;
  char* scratch_memory = static_cast<char*>(workspace) + arena.used();
  Arena counter(nullptr);
  SequenceForward<T, Cell>::take_scratch(counter, g);

  parallel(p.threads, [&](int thread, int threads) {
    shared.weights.pack(g, thread, threads);
    barrier(threads);
    Arena own(scratch_memory + size_t(thread) * counter.used());
    const SequenceForward<T, Cell> forward{
        g, p, shared.weights, SequenceForward<T, Cell>::take_scratch(own, g), {thread, threads}};
    States<T> mine = states;
    forward.start(mine);
    const bool checkpoints = saved_memory && p.checkpoint_every > 0;
    for (int64_t s = 0; s < g.segments(); ++s) {
      const int64_t first = s * g.segment(), last = min_of(first + g.segment(), p.plan.steps);
      if (checkpoints) {
        for (int64_t i = 0, n = forward.team.rows(g.active(first)); i < n; ++i) {
          const int64_t j = forward.team.sorted(i), from = mine.block(g, first) + j, to = s * p.batch + j;
          copy_row(saved.h + to * g.h_row, mine.h + from * g.h_row, g.state);
          if constexpr (Cell::has_c) copy_row(saved.c + to * g.c_row, mine.c + from * g.c_row, g.hidden);
        }
      }
      forward.run(mine, first, last, &out);
    }
    forward.emit_padding(out);
  });
}

}  // namespace weft::WEFT_ISA
