// The sequence driver, backward: the forward's steps in reverse, chunk by chunk. With checkpoints a segment's
// forward is run again first.
//
//   delta_t  = dL/d(pre-activations), from the cell
//   dh_{t-1} = m W_hh' delta_t + what passes the cell directly
//
// and the products over a chunk's steps in sequence_products.hpp. So a chunk has two phases: in the first
// each team walks its own rows through time, and a phase of its steps ends once the deltas that all of its
// parts read are there; in the second all threads share the products.
#pragma once

#include "kernels/recurrent/sequence_forward.hpp"
#include "kernels/recurrent/sequence_products.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct SequenceBackward {
  using G = Geometry<T>;

  /// The gradient of the state, shared by all threads: a row for each sorted row of the batch.
  struct Gradient {
    T *dh, *dc, *direct, *d_cell, *d_inner;

    static Gradient take(Arena& arena, const G& g) {
      const int64_t rows = g.problem.batch;
      Gradient s;
      s.dh = arena.take<T>(rows * g.h_row);
      s.dc = g.cell.has_c ? arena.take<T>(rows * g.c_row) : nullptr;
      s.direct = arena.take<T>(rows * g.h_row);
      s.d_cell = g.projected() ? arena.take<T>(rows * g.c_row) : nullptr;
      s.d_inner = g.cell.stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
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
  const BackwardWeights<T>& weights;
  const T* extra;  ///< padded
  Chunk<T> chunk;
  Gradient all;
  Worker worker;
  Gradient own = all.of(g, worker.team);  ///< of the team's rows, `teams` rows apart
  int64_t stride = worker.teams, h_stride = stride * g.h_row, c_stride = stride * g.c_row;
  Range units = g.units(worker), columns = g.columns(worker);

  /// body(part) for each part of the team whose first part this is.
  template <class Body>
  void for_parts(const Body& body) const {
    if (worker.parts == 1) return body(*this);
    for_shares(worker.parts, [&](int part) {
      body(SequenceBackward{g, p, grads, weights, extra, chunk, all, Worker(worker.thread + part, g.grid)});
    });
  }

  /// Where a step of the team's rows lies: their number; in the chunk, in the states and in what was saved.
  struct Step {
    int64_t step, rows, in_chunk, before, at;
    bool in_place;  ///< the states are the product's operands
    const T* h_prev;
  };

  /// The team's steps [begin, end), a chunk. What a step leaves is done together with the entry of the one
  /// before it, so that a step of one stage is one phase.
  void walk(const States<T>& states, int64_t begin, int64_t end, bool in_place) const {
    Step later{};
    for (int64_t step = end; step-- > begin;) {
      const int64_t rows = worker.rows(g.active(step));
      if (rows == 0) continue;
      const int64_t before = states.block(g, step) + worker.team;
      const Step s{step,
                   rows,
                   g.row_steps(begin, step) + worker.team,
                   before,
                   states.row(g, step) + worker.team,
                   in_place,
                   states.h + before * g.h_row};
      for_parts([&](const SequenceBackward& part) {
        if (later.rows > 0) part.leave(later);
        part.enter(s);
        if (!g.projected()) part.last_stage(states, s);
      });
      if (g.projected())
        for_parts([&](const SequenceBackward& part) {
          part.through_projection(s);
          part.last_stage(states, s);
        });
      if (g.cell.stages > 1) for_parts([&](const SequenceBackward& part) { part.first_stage(states, s); });
      later = s;
    }
    if (later.rows > 0) for_parts([&](const SequenceBackward& part) { part.leave(later); });
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
  bool has_direct() const { return g.cell.has_direct || p.zoneout_mask; }

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
    else if (has_direct() && !p.recurrent_mask)
      start = {own.direct, h_stride};
    product(0, s, start, own.dh);
    if (p.recurrent_mask || (has_direct() && start.start != own.direct)) finish_operand(s.step, s.rows);
    if (p.resets) reset(s.step, s.rows);
  }

  /// out = start + W_hh' delta over the gates of a stage, of this part's columns.
  void product(int stage, const Step& s, Epilogue<T> start, T* out) const {
    const int64_t slot = g.cell.hidden_slot + g.cell.first_gate(stage);
    const T* deltas = chunk.slots + s.in_chunk * g.slots_row + slot * g.hidden;
    Blocks(columns, g.few_rows ? G::group : g.state).each(s.step, [&](int64_t n, int64_t count) {
      weights.state_product(g, stage, n, count, s.rows, {deltas, stride * g.slots_row, 1}, start.at(0, n),
                            out + n, h_stride);
    });
  }

  /// This part's columns of the chunk's rows of x, and of the state as it entered the product.
  void gather(const Step& s) const {
    const Range inputs = share(g.input, worker.part, worker.parts, lanes<T>);
    for (int64_t i = 0; i < s.rows; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], t = g.time_of(s.step, j);
      const int64_t to = s.in_chunk + i * stride;
      copy_or_zero(chunk.inputs + to * g.input_row, p.x, b * p.x_batch + t * p.x_time, inputs, p.input);
      if (s.in_place) continue;
      T* operand = chunk.operands + to * g.h_row;
      copy_row(operand, s.h_prev + i * h_stride, columns);
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
    if (g.cell.has_c) copy_or_zero(own.dc + i * c_stride, grads.dc_n, b * grads.dc_n_row, units, p.hidden);
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
  void finish_operand(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * h_stride, *direct = own.direct + i * h_stride;
      if (p.recurrent_mask) {
        const int64_t j = worker.sorted(i);
        const T* mask = p.recurrent_mask + p.plan.order[j] * p.recurrent_mask_batch +
                        g.time_of(step, j) * p.recurrent_mask_time;
        for (int64_t k = columns.begin; k < min_of(columns.end, p.state); ++k) dh[k] *= mask[k];
      }
      if (has_direct())
        for (int64_t k = columns.begin; k < columns.end; ++k) dh[k] += direct[k];
    }
  }

  void reset(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i);
      if (!p.resets[p.plan.order[j] * p.resets_batch + g.time_of(step, j) * p.resets_time]) continue;
      zero_row(own.dh + i * h_stride, columns);
      if (g.cell.has_c) zero_row(own.dc + i * c_stride, units);
    }
  }

  /// The states before a segment's first step, where forward left them.
  void restore(const States<T>& states, int64_t step, const Saved<T>& saved, int64_t segment) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), from = segment * p.batch + j;
      copy_row(states.h + j * g.h_row, saved.h + from * g.h_row, columns);
      if (g.cell.has_c) copy_row(states.c + j * g.c_row, saved.c + from * g.c_row, units);
    }
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
      if (g.cell.has_c)
        copy_row(grads.dc0 + b * grads.dc0_row, own.dc + i * c_stride,
                 {units.begin, min_of(units.end, p.hidden)});
    }
  }
};

template <class T>
struct BackwardWorkspace {
  using Forward = SequenceForward<T>;

  BackwardWeights<T> weights;
  T *extra, *dextra;
  Chunk<T> chunk;
  typename SequenceBackward<T>::Gradient gradient;
  ForwardWeights<T> forward_weights;  ///< these three where segments are computed again
  typename Forward::Shared forward;
  States<T> states;

  static BackwardWorkspace take(Arena& arena, const Geometry<T>& g) {
    BackwardWorkspace w;
    w.weights = BackwardWeights<T>::take(arena, g);
    w.extra = arena.take<T>(g.cell.extras * g.hidden);
    w.dextra = arena.take<T>(g.cell.extras * g.hidden);
    w.chunk = Chunk<T>::take(arena, g);
    w.gradient = SequenceBackward<T>::Gradient::take(arena, g);
    if (g.problem.checkpoint_every > 0) {
      w.forward_weights = ForwardWeights<T>::take(arena, g);
      w.forward = Forward::Shared::take(arena, g);
      w.states = States<T>::take(arena, g, g.problem.batch, g.largest_segment());
    }
    return w;
  }
  /// One thread's: what it packs for products, and the forward's scratch.
  struct Own {
    T* packed;
    typename Forward::Scratch forward;

    static Own take(Arena& arena, const Geometry<T>& g) {
      Own o{};
      if (g.problem.checkpoint_every > 0) o.forward = Forward::Scratch::take(arena, g);
      o.packed = arena.take<T>(TransposedProduct<T>::workspace);
      return o;
    }
  };
  /// Where each thread's lies: the forward's first.
  struct Owns {
    char* memory;
    size_t each;

    Own of(int thread, const Geometry<T>& g) const {
      Arena arena(memory + size_t(thread) * each);
      return Own::take(arena, g);
    }
    typename Forward::Scratches scratches() const { return {memory, each}; }
  };
};

template <class T>
void backward_one(const BackwardJob<T>& job, const Geometry<T>& g) {
  using Workspace = BackwardWorkspace<T>;
  using Forward = SequenceForward<T>;
  using Backward = SequenceBackward<T>;
  using Products = SequenceProducts<T>;
  const RecurrentProblem<T>& p = job.problem;
  const Grid grid = g.grid;
  Arena saved_arena(const_cast<void*>(job.saved)), arena(job.workspace), counter(nullptr);
  const Saved<T> saved = Saved<T>::take(saved_arena, g);
  Workspace shared = Workspace::take(arena, g);
  Workspace::Own::take(counter, g);
  const typename Workspace::Owns own{static_cast<char*>(job.workspace) + arena.used(), counter.used()};
  const bool again = p.checkpoint_every > 0;

  const auto products_on = [&](int thread) {
    return Products{g,
                    p,
                    job.gradients,
                    shared.weights,
                    shared.chunk,
                    own.of(thread, g).packed,
                    shared.dextra,
                    Worker(thread, grid)};
  };
  const auto backward_on = [&](int team) {
    return Backward{g,
                    p,
                    job.gradients,
                    shared.weights,
                    shared.extra,
                    shared.chunk,
                    shared.gradient,
                    Worker(team * grid.parts, grid)};
  };
  for_shares(grid.threads(), [&](int thread) {
    shared.weights.pack(g, thread, grid.threads());
    if (again) shared.forward_weights.pack(g, thread, grid.threads());
    if (thread == 0)
      for (int e = 0; e < g.cell.extras; ++e) {
        copy_or_zero(shared.extra + e * g.hidden, p.extra, e * p.extra_row, {0, g.hidden}, p.hidden);
        zero_row(shared.dextra + e * g.hidden, {0, g.hidden});
      }
  });
  for (int64_t segment = g.segments(); segment-- > 0;) {
    const int64_t first = segment * g.segment(), last = min_of(first + g.segment(), p.plan.steps);
    States<T> states = again ? shared.states : saved.all;
    if (again) {
      states.first = first;
      for_shares(grid.teams, [&](int team) {
        const Backward backward = backward_on(team);
        backward.for_parts([&](const Backward& part) { part.restore(states, first, saved, segment); });
        const Forward forward{g, p, shared.forward_weights, shared.forward, own.scratches(), backward.worker};
        forward.run(states, first, last, nullptr);
      });
    }
    for (int64_t end = last, begin; end > first && !interrupted(); end = begin) {
      begin = end - 1;
      while (begin > first && g.row_steps(begin - 1, end) <= g.backward_rows()) --begin;
      const bool in_place = !p.recurrent_mask && states.dense(g, begin, end);
      for_shares(grid.teams, [&](int team) { backward_on(team).walk(states, begin, end, in_place); });
      const T* operands = in_place ? states.h + states.block(g, begin) * g.h_row : shared.chunk.operands;
      for_shares(grid.threads(), [&](int thread) { products_on(thread).run(states, begin, end, operands); });
    }
  }
  for_shares(grid.threads(), [&](int thread) {
    Backward{g,
             p,
             job.gradients,
             shared.weights,
             shared.extra,
             shared.chunk,
             shared.gradient,
             Worker(thread, grid)}
        .finish();
    products_on(thread).finish();
  });
}

template <class T>
void sequence_backward(const BackwardJob<T>* jobs, int count) {
  run_jobs<T>(jobs, count, &backward_one<T>);
}

}  // namespace weft::WEFT_ISA
