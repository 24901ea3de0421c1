// The sequence driver, backward: the forward's steps in reverse, chunk by chunk. With checkpoints a segment's
// forward is run again first.
//
// A chunk has two phases: in the first each team walks its own rows through time, and a phase of its steps
// ends once the deltas that all of its parts read are there; in the second all threads share the products
// over the chunk's steps.
#pragma once

#include "kernels/recurrent/backward_part.hpp"
#include "kernels/recurrent/sequence_forward.hpp"

namespace weft::WEFT_ISA {

/// The team's steps [begin, end), a chunk. What a step leaves is done together with the entry of the one
/// before it, so that a step of one stage is one phase.
template <class T>
void run_backward(const BackwardPart<T>& team, const States<T>& states, int64_t begin, int64_t end,
                  bool in_place) {
  using Part = BackwardPart<T>;
  const Geometry<T>& g = team.g;
  typename Part::Step later{};
  for (int64_t step = end; step-- > begin;) {
    const int64_t rows = team.worker.rows(g.active(step));
    if (rows == 0) continue;
    const typename Part::Step s = team.at(states, begin, step, rows, in_place);
    team.for_parts([&](const Part& part) {
      if (later.rows > 0) part.leave(later);
      part.enter(s);
      if (!g.projected()) part.last_stage(states, s);
    });
    if (g.projected())
      team.for_parts([&](const Part& part) {
        part.through_projection(s);
        part.last_stage(states, s);
      });
    if (g.cell.stages > 1) team.for_parts([&](const Part& part) { part.first_stage(states, s); });
    later = s;
  }
  if (later.rows > 0) team.for_parts([&](const Part& part) { part.leave(later); });
}

template <class T>
struct BackwardWorkspace {
  BackwardWeights<T> weights;
  T *extra, *dextra;
  Chunk<T> chunk;
  StateGradient<T> gradient;
  ForwardWeights<T> forward_weights;  ///< these three where segments are computed again
  ForwardShared<T> forward;
  States<T> states;

  static BackwardWorkspace take(Arena& arena, const Geometry<T>& g) {
    BackwardWorkspace w;
    w.weights = BackwardWeights<T>::take(arena, g);
    w.extra = arena.take<T>(g.cell.extras * g.hidden);
    w.dextra = arena.take<T>(g.cell.extras * g.hidden);
    w.chunk = Chunk<T>::take(arena, g);
    w.gradient = StateGradient<T>::take(arena, g);
    if (g.arguments.checkpoint_every > 0) {
      w.forward_weights = ForwardWeights<T>::take(arena, g);
      w.forward = ForwardShared<T>::take(arena, g);
      w.states = States<T>::take(arena, g, g.problem.batch, g.largest_segment());
    }
    return w;
  }
  /// One thread's: what it packs for products, and the forward's scratch.
  struct Own {
    T* packed;
    ForwardScratch<T> forward;

    static Own take(Arena& arena, const Geometry<T>& g) {
      Own o{};
      if (g.arguments.checkpoint_every > 0) o.forward = ForwardScratch<T>::take(arena, g);
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
    ForwardScratches<T> scratches() const { return {memory, each}; }
  };
};

template <class T>
void backward_one(const BackwardJob<T>& job, const Geometry<T>& g) {
  using Workspace = BackwardWorkspace<T>;
  using Part = BackwardPart<T>;
  const RecurrentGradientViews<T>& grads = *job.gradients;
  const Grid grid = g.grid;
  const int threads = grid.threads();
  Arena saved_arena(const_cast<void*>(job.saved)), arena(job.workspace), counter(nullptr);
  const Saved<T> saved = Saved<T>::take(saved_arena, g);
  Workspace shared = Workspace::take(arena, g);
  Workspace::Own::take(counter, g);
  const typename Workspace::Owns own{static_cast<char*>(job.workspace) + arena.used(), counter.used()};
  const bool again = g.arguments.checkpoint_every > 0;

  const auto products_on = [&](int thread) {
    return SequenceProducts<T>{g,
                               grads,
                               shared.weights,
                               shared.chunk,
                               own.of(thread, g).packed,
                               shared.dextra,
                               Worker(thread, grid)};
  };
  const auto part_on = [&](int thread) {
    return Part{g, grads, shared.weights, shared.extra, shared.chunk, shared.gradient, Worker(thread, grid)};
  };
  for_shares(threads, [&](int thread) {
    shared.weights.pack(g, thread, threads);
    if (again) shared.forward_weights.pack(g, thread, threads);
    if (thread > 0) return;
    pack_extra(g, shared.extra);
    zero_row(shared.dextra, {0, g.cell.extras * g.hidden});
  });
  for (int64_t segment = g.segments(); segment-- > 0;) {
    const int64_t first = segment * g.segment(), last = min_of(first + g.segment(), g.plan().steps);
    States<T> states = again ? shared.states : saved.all;
    if (again) {
      states.first = first;
      for_shares(grid.teams, [&](int number) {
        const ForwardPart<T> team{g, shared.forward_weights, shared.forward, own.scratches(),
                                  Worker(number * grid.parts, grid)};
        team.for_parts(
            [&](const ForwardPart<T>& part) { part.copies().restore(states, first, saved, segment); });
        run_forward<T>(team, states, first, last, nullptr);
      });
    }
    for (int64_t end = last, begin; end > first && !interrupted(); end = begin) {
      begin = end - 1;
      while (begin > first && g.row_steps(begin - 1, end) <= g.backward_rows()) --begin;
      const bool in_place = !g.arguments.recurrent_dropout_mask && states.dense(g, begin, end);
      for_shares(grid.teams,
                 [&](int team) { run_backward(part_on(team * grid.parts), states, begin, end, in_place); });
      const T* operands = in_place ? states.h + states.block(g, begin) * g.h_row : shared.chunk.operands;
      for_shares(threads, [&](int thread) { products_on(thread).run(states, begin, end, operands); });
    }
  }
  for_shares(threads, [&](int thread) {
    part_on(thread).finish();
    products_on(thread).finish();
  });
}

}  // namespace weft::WEFT_ISA
