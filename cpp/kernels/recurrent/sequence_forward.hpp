// The sequence driver, forward: per chunk of steps one product of the inputs, then step after step.
//
// Where a team has parts, a phase of a step ends once all of them have written what each reads next: the
// masked operand, the first stage's inner operand, the outputs before a projection, and the state.
#pragma once

#include "kernels/recurrent/forward_part.hpp"

namespace weft::WEFT_ISA {

/// The team's steps [first, last); `out` is null where a segment is only computed again. Leaves the states in
/// `states`.
template <class T>
void run_forward(const ForwardPart<T>& team, const States<T>& states, int64_t first, int64_t last,
                 const RecurrentResults<T>* out) {
  using Part = ForwardPart<T>;
  const Geometry<T>& g = team.g;
  const Worker& worker = team.worker;
  const bool enters = g.arguments.resets || g.arguments.recurrent_dropout_mask, projected = g.projected();
  const int last_stage = g.cell.stages - 1;
  const auto run_step = [&](int64_t step, int64_t rows, int64_t row) {
    if (enters) team.for_parts([&](const Part& part) { part.enter(states, step, rows); });
    for (int stage = 0; stage <= last_stage; ++stage)
      team.for_parts([&](const Part& part) {
        const typename Part::Step s = part.at(states, step, rows, row);
        part.run_stage(stage, s);
        if (stage == last_stage && !projected) part.leave(states, s, out);
      });
    if (projected)
      team.for_parts([&](const Part& part) {
        const typename Part::Step s = part.at(states, step, rows, row);
        part.project(s);
        part.leave(states, s, out);
      });
  };
  const int64_t most = max_of(chunk_rows, worker.rows(g.problem.batch));
  for (int64_t begin = first; begin < last && worker.rows(g.active(begin)) > 0 && !interrupted();) {
    int64_t end = begin, rows = 0;
    while (end < last && (end == begin || rows + worker.rows(g.active(end)) <= most))
      rows += worker.rows(g.active(end++));
    team.for_parts([&](const Part& part) { part.multiply_inputs(begin, end, rows); });
    if (team.is_one_plain_row()) {
      team.run_one_row(states, begin, end, out);
    } else {
      for (int64_t step = begin, row = 0; step < end; ++step) {
        const int64_t n = worker.rows(g.active(step));
        run_step(step, n, row);
        row += n;
      }
    }
    begin = end;
  }
}

template <class T>
struct ForwardWorkspace {
  ForwardWeights<T> weights;
  ForwardShared<T> shared;
  States<T> ring;  ///< where nothing is saved

  static ForwardWorkspace take(Arena& arena, const Geometry<T>& g, bool keeps_all) {
    ForwardWorkspace w;
    w.weights = ForwardWeights<T>::take(arena, g);
    w.shared = ForwardShared<T>::take(arena, g);
    if (!keeps_all) w.ring = States<T>::take_ring(arena, g, g.problem.batch, g.cell.stages > 1);
    return w;
  }
};

template <class T>
void forward_one(const ForwardJob<T>& job, const Geometry<T>& g) {
  using Part = ForwardPart<T>;
  const bool keeps_all = job.saved != nullptr && g.arguments.checkpoint_every == 0;
  Arena saved_arena(job.saved), arena(job.workspace), counter(nullptr);
  Saved<T> saved;
  if (job.saved) saved = Saved<T>::take(saved_arena, g);
  auto shared = ForwardWorkspace<T>::take(arena, g, keeps_all);
  ForwardScratch<T>::take(counter, g);
  const ForwardScratches<T> scratches{static_cast<char*>(job.workspace) + arena.used(), counter.used()};
  const int threads = g.grid.threads();
  for_shares(threads, [&](int thread) { shared.weights.pack(g, thread, threads); });
  const States<T> states = keeps_all ? saved.all : shared.ring;
  for_shares(g.grid.teams, [&](int number) {
    const Part team{g, shared.weights, shared.shared, scratches, Worker(number * g.grid.parts, g.grid)};
    team.for_parts([&](const Part& part) { part.copies().start(states); });
    for (int64_t s = 0; s < g.segments(); ++s) {
      const int64_t first = s * g.segment(), last = min_of(first + g.segment(), g.plan().steps);
      if (job.saved && !keeps_all)
        team.for_parts([&](const Part& part) { part.copies().keep(states, first, saved, s); });
      run_forward(team, states, first, last, job.results);
    }
    team.copies().emit_padding(*job.results);
  });
}

}  // namespace weft::WEFT_ISA
