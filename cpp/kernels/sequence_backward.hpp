// The sequence driver, backward: the forward's steps in reverse, chunk by chunk. With checkpoints a segment's
// forward is run again first.
//
//   delta_t  = dL/d(pre-activations), from the cell
//   dh_{t-1} = m W_hh' delta_t + what passes the cell directly
//
// and the products over a chunk's steps in sequence_products.hpp. So a chunk has two phases: in the first
// each team walks its own rows through time, and its threads meet once the deltas that all of them read are
// there; in the second all threads share the products.
#pragma once

#include "sequence_forward.hpp"
#include "sequence_products.hpp"

namespace weft::WEFT_ISA {

template <class T, class Cell>
struct SequenceBackward {
  using G = Geometry<T, Cell>;

  /// The gradient of the state, shared by all threads: a row for each sorted row of the batch.
  struct Gradient {
    T *dh, *dc, *direct, *d_cell, *d_inner;

    static Gradient take(Arena& arena, const G& g) {
      const int64_t rows = g.problem.batch;
      Gradient s;
      s.dh = arena.take<T>(rows * g.h_row);
      s.dc = Cell::has_c ? arena.take<T>(rows * g.c_row) : nullptr;
      s.direct = arena.take<T>(rows * g.h_row);
      s.d_cell = g.projected() ? arena.take<T>(rows * g.c_row) : nullptr;
      s.d_inner = Cell::stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
      return s;
    }
    /// From a team's first row on.
    Gradient of(const G& g, int64_t row) const {
      return {dh + row * g.h_row, dc ? dc + row * g.c_row : nullptr, direct + row * g.h_row,
              d_cell ? d_cell + row * g.c_row : nullptr, d_inner ? d_inner + row * g.h_row : nullptr};
    }
  };

  const G& g;
  const RecurrentProblem<T>& p;
  const RecurrentGradients<T>& grads;
  const BackwardWeights<T, Cell>& weights;
  const T* extra;  ///< padded
  Chunk<T, Cell> chunk;
  SequenceProducts<T, Cell> products;
  Worker worker;
  Gradient own;  ///< of the team's rows, `teams` rows apart
  int64_t stride = worker.teams, h_stride = stride * g.h_row, c_stride = stride * g.c_row;
  Range units = g.units(worker), columns = g.columns(worker);

  /// Steps [first, last) of a segment whose states are in `states`.
  void run(const States<T>& states, int64_t first, int64_t last) const {
    for (int64_t end = last; end > first;) {
      int64_t begin = end - 1;
      while (begin > first && g.row_steps(begin - 1, end) <= g.backward_rows()) --begin;
      const bool in_place = !p.recurrent_mask && states.dense(g, begin, end);
      for (int64_t step = end; step-- > begin;) one_step(states, step, begin, in_place);
      worker.meet_all();
      products.run(states, begin, end,
                   in_place ? states.h + states.block(g, begin) * g.h_row : chunk.operands);
      worker.meet_all();
      end = begin;
    }
  }

  void one_step(const States<T>& states, int64_t step, int64_t chunk_first, bool in_place) const {
    const int64_t rows = worker.rows(g.active(step));
    if (rows == 0) return;
    const int64_t in_chunk = g.row_steps(chunk_first, step) + worker.team;
    const int64_t before = states.block(g, step) + worker.team, at = states.row(g, step) + worker.team;
    const T* h_prev = states.h + before * g.h_row;
    gather(step, rows, h_prev, in_chunk, in_place);
    for (int64_t i = 0; i < rows; ++i) begin_row(step, i);
    if (Cell::has_direct || p.zoneout_mask) split_direct(step, rows);

    BackwardTile<T> tile{};
    tile.rows = rows;
    tile.units = units.end - units.begin;
    tile.dh = {own.dh + units.begin, h_stride};
    tile.dc = {own.dc + units.begin, c_stride};
    tile.direct = {own.direct + units.begin, h_stride};
    tile.saved = {states.saved + at * g.saved_row + units.begin, stride * g.saved_row, g.hidden};
    tile.extra = {extra + units.begin, 0, g.hidden};
    tile.h_prev = {h_prev + units.begin, h_stride};
    tile.operand = {(in_place ? h_prev : chunk.operands + in_chunk * g.h_row) + units.begin, h_stride};
    tile.deltas = {chunk.slots + in_chunk * g.slots_row + units.begin, stride * g.slots_row, g.hidden};
    if constexpr (Cell::has_c) tile.c_prev = {states.c + before * g.c_row + units.begin, c_stride};

    if (g.projected()) {  // h = W_proj outputs
      for (int64_t i = 0; i < rows; ++i)
        copy_row(chunk.d_outputs + (in_chunk + i * stride) * g.h_row, own.dh + i * h_stride, columns);
      worker.meet_team();
      gemm<T>(rows, units.end - units.begin, p.state, {own.dh, h_stride, 1},
              panels(weights.w_proj + units.begin * p.state, p.state), {}, own.d_cell + units.begin,
              c_stride);
      tile.dh = {own.d_cell + units.begin, c_stride};
    }
    const T* slots = chunk.slots + in_chunk * g.slots_row;
    const bool to_direct = Cell::has_direct || p.zoneout_mask;
    Init<T> start{};
    if constexpr (Cell::stages > 1) {
      Cell::template backward<1, T>(tile);
      product<1>(step, rows, slots, {}, own.d_inner);
      tile.d_inner = {own.d_inner + units.begin, h_stride};
      tile.d_operand = {own.dh + units.begin, h_stride};
      tile.inner = {chunk.inner + in_chunk * g.h_row + units.begin, h_stride};
      Cell::template backward<0, T>(tile);
      start = {own.dh, h_stride};
    } else {
      Cell::template backward<0, T>(tile);
      if (to_direct && !p.recurrent_mask) start = {own.direct, h_stride};
    }
    product<0>(step, rows, slots, start, own.dh);
    if (p.recurrent_mask || (to_direct && start.data != own.direct)) finish_operand(step, rows, to_direct);
    if (p.resets) reset(step, rows);
  }

  /// out = start + W_hh' delta over the gates of a stage, of this thread's columns.
  template <int Stage>
  void product(int64_t step, int64_t rows, const T* slots, Init<T> start, T* out) const {
    constexpr int64_t slot = Cell::hidden_slot + (Stage == 0 ? 0 : Cell::stage_gates[0]);
    worker.meet_team();
    g.for_each_block(columns, g.few_rows ? G::group : g.state, step, [&](int64_t n, int64_t count) {
      weights.template state_product<Stage>(
          g, n, count, rows, {slots + slot * g.hidden, stride * g.slots_row, 1},
          start.data ? Init<T>{start.data + n, start.row} : start, out + n, h_stride);
    });
  }

  /// This thread's columns of the chunk's rows of x, and of the state as it entered the product.
  void gather(int64_t step, int64_t rows, const T* h_prev, int64_t in_chunk, bool in_place) const {
    const Range inputs = share(g.input, worker.part, worker.parts, lanes<T>);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], t = g.time_of(step, j);
      const int64_t to = in_chunk + i * stride;
      copy_or_zero(chunk.inputs + to * g.input_row, p.x, b * p.x_batch + t * p.x_time, inputs, p.input);
      if (in_place) continue;
      T* operand = chunk.operands + to * g.h_row;
      copy_row(operand, h_prev + i * h_stride, columns);
      if (!p.recurrent_mask) continue;
      const T* mask = p.recurrent_mask + b * p.recurrent_mask_batch + t * p.recurrent_mask_time;
      for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) operand[k] *= mask[k];
    }
  }

  /// dh += dy; where the row's last step is this one, its gradients begin as those of the final states.
  void begin_row(int64_t step, int64_t i) const {
    const int64_t j = worker.sorted(i), b = p.plan.order[j];
    T* dh = own.dh + i * h_stride;
    if (step + 1 == p.plan.length[j]) begin_state(i, b);
    if (grads.dy == nullptr) return;
    const T* dy = grads.dy + b * grads.dy_batch + g.time_of(step, j) * grads.dy_time;
    for_each_vector<T>(columns.begin, min_of(columns.end, p.state),
                       [&](int64_t k, int64_t n) { store(dh + k, load(dh + k) + load(dy + k, n)); });
  }
  void begin_state(int64_t i, int64_t b) const {
    copy_or_zero(own.dh + i * h_stride, grads.dh_n, b * grads.dh_n_row, columns, p.state);
    if constexpr (Cell::has_c)
      copy_or_zero(own.dc + i * c_stride, grads.dc_n, b * grads.dc_n_row, units, p.hidden);
  }

  /// h = z h_prev + (1 - z) h'  =>  direct = z dh, dh' = (1 - z) dh; without zoneout direct begins at zero.
  void split_direct(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * h_stride, *direct = own.direct + i * h_stride;
      zero_row(direct, columns);
      if (!p.zoneout_mask) continue;
      const int64_t j = worker.sorted(i);
      const T* mask =
          p.zoneout_mask + p.plan.order[j] * p.zoneout_batch + g.time_of(step, j) * p.zoneout_time;
      for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) {
        direct[k] = mask[k] * dh[k];
        dh[k] *= T(1) - mask[k];
      }
    }
  }

  /// dh_prev = m d(operand) + direct
  void finish_operand(int64_t step, int64_t rows, bool to_direct) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * h_stride, *direct = own.direct + i * h_stride;
      if (p.recurrent_mask) {
        const int64_t j = worker.sorted(i);
        const T* mask = p.recurrent_mask + p.plan.order[j] * p.recurrent_mask_batch +
                        g.time_of(step, j) * p.recurrent_mask_time;
        for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) dh[k] *= mask[k];
      }
      if (to_direct)
        for (int64_t k = columns.begin; k < columns.end; ++k) dh[k] += direct[k];
    }
  }

  void reset(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i);
      if (!p.resets[p.plan.order[j] * p.resets_batch + g.time_of(step, j) * p.resets_time]) continue;
      zero_row(own.dh + i * h_stride, columns);
      if constexpr (Cell::has_c) zero_row(own.dc + i * c_stride, units);
    }
  }

  /// The states before a segment's first step, where forward left them.
  void restore(States<T>& states, int64_t step, const Saved<T, Cell>& saved, int64_t segment) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), from = segment * p.batch + j;
      copy_row(states.h + j * g.h_row, saved.h + from * g.h_row, columns);
      if constexpr (Cell::has_c) copy_row(states.c + j * g.c_row, saved.c + from * g.c_row, units);
    }
    worker.meet_team();
  }

  /// What no step writes: dx past a row's end, and the gradients of the initial states.
  void finish() const {
    const Range valid{columns.begin, min_of(columns.end, p.state)};
    for (int64_t i = 0, n = worker.rows(p.batch); i < n; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      if (grads.dx)
        for (int64_t t = length + worker.part; t < p.time; t += worker.parts)
          zero_row(grads.dx + b * grads.dx_batch + t * grads.dx_time, {0, p.input});
      if (length == 0) begin_state(i, b);
      copy_row(grads.dh0 + b * grads.dh0_row, own.dh + i * h_stride, valid);
      if constexpr (Cell::has_c)
        copy_row(grads.dc0 + b * grads.dc0_row, own.dc + i * c_stride,
                 {units.begin, min_of(units.end, p.hidden)});
    }
  }
};

template <class T, class Cell>
struct BackwardWorkspace {
  using Forward = SequenceForward<T, Cell>;

  Barrier* barriers;
  BackwardWeights<T, Cell> weights;
  T *extra, *dextra;
  Chunk<T, Cell> chunk;
  typename SequenceBackward<T, Cell>::Gradient gradient;
  ForwardWeights<T, Cell> forward_weights;  ///< these three where segments are computed again
  typename Forward::Shared forward;
  States<T> states;

  static BackwardWorkspace take(Arena& arena, const Geometry<T, Cell>& g) {
    BackwardWorkspace w;
    w.barriers = arena.take<Barrier>(1 + g.problem.threads);
    w.weights = BackwardWeights<T, Cell>::take(arena, g);
    w.extra = arena.take<T>(Cell::extras * g.hidden);
    w.dextra = arena.take<T>(Cell::extras * g.hidden);
    w.chunk = Chunk<T, Cell>::take(arena, g);
    w.gradient = SequenceBackward<T, Cell>::Gradient::take(arena, g);
    if (g.problem.checkpoint_every > 0) {
      w.forward_weights = ForwardWeights<T, Cell>::take(arena, g);
      w.forward = Forward::Shared::take(arena, g);
      w.states = States<T>::take(arena, g, g.problem.batch, g.largest_segment(), Cell::has_c);
    }
    return w;
  }
  /// One thread's part.
  struct Own {
    T* packed;
    typename Forward::Scratch forward;

    static Own take(Arena& arena, const Geometry<T, Cell>& g) {
      Own o{};
      o.packed = arena.take<T>(TransposedProduct<T>::workspace);
      if (g.problem.checkpoint_every > 0) o.forward = Forward::Scratch::take(arena, g);
      return o;
    }
  };
};

/// One thread's part of one call.
template <class T, class Cell>
void backward_on(const BackwardJob<T>& job, int thread, int threads) {
  using Workspace = BackwardWorkspace<T, Cell>;
  const RecurrentProblem<T>& p = job.problem;
  const Geometry<T, Cell> g(p);
  Arena saved_arena(const_cast<void*>(job.saved)), arena(job.workspace), counter(nullptr);
  const Saved<T, Cell> saved = Saved<T, Cell>::take(saved_arena, g);
  Workspace shared = Workspace::take(arena, g);
  Workspace::Own::take(counter, g);
  Arena own_arena(static_cast<char*>(job.workspace) + arena.used() + size_t(thread) * counter.used());
  const auto own = Workspace::Own::take(own_arena, g);
  const bool again = p.checkpoint_every > 0;

  const Worker worker(thread, threads, g.grid, shared.barriers);
  shared.weights.pack(g, thread, threads);
  if (again) shared.forward_weights.pack(g, thread, threads);
  if (thread == 0)
    for (int e = 0; e < Cell::extras; ++e) {
      copy_or_zero(shared.extra + e * g.hidden, p.extra, e * p.extra_row, {0, g.hidden}, p.hidden);
      zero_row(shared.dextra + e * g.hidden, {0, g.hidden});
    }
  worker.meet_all();
  const SequenceProducts<T, Cell> products{
      g, p, job.gradients, shared.weights, shared.chunk, own.packed, shared.dextra, worker};
  const SequenceBackward<T, Cell> backward{g,
                                           p,
                                           job.gradients,
                                           shared.weights,
                                           shared.extra,
                                           shared.chunk,
                                           products,
                                           worker,
                                           shared.gradient.of(g, worker.team)};
  const SequenceForward<T, Cell> forward{g, p, shared.forward_weights, shared.forward, own.forward, worker};
  for (int64_t s = g.segments(); s-- > 0;) {
    const int64_t first = s * g.segment(), last = min_of(first + g.segment(), p.plan.steps);
    States<T> states = again ? shared.states : saved.all;
    if (again) {
      states.first = first;
      backward.restore(states, first, saved, s);
      forward.run(states, first, last, nullptr);
    }
    backward.run(states, first, last);
  }
  backward.finish();
  products.finish();
}

template <class T, class Cell>
void sequence_backward(const BackwardJob<T>* jobs, int count) {
  run_jobs<T, Cell>(jobs, count, &backward_on<T, Cell>);
}

}  // namespace weft::WEFT_ISA
