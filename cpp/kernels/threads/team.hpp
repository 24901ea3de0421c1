// How a call's steps are divided among threads. Rows of the batch do not depend on each other: a team takes
// some of them through all steps, as one share of the call. Where rows are few, a team divides the hidden
// units of each step into parts, and a step needs all parts of the one before.
//
//   teams x parts <= threads: team n owns the sorted rows n, n + teams, ...; part k of it a range of units
//
// Rows are divided this way so that every team sees the same mix of lengths. No element of a result depends
// on the division.
#pragma once

#include "kernels/threads/cost.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

struct Grid {
  int teams = 1, parts = 1;
  int threads() const { return teams * parts; }
};

/// What a step of a problem amounts to.
struct StepCost {
  int64_t rows;    ///< of the batch, on average over the steps
  int64_t blocks;  ///< of units, the smallest share
  double work;     ///< multiply-adds of one row and block
  int64_t steps;

  /// Reading a block's weights costs about as much as the arithmetic of four rows.
  static constexpr double weights_as_rows = 4;

  /// In nanoseconds (cost.hpp).
  double on(Grid grid) const {
    const auto divided = [](int64_t n, int by) { return double((n + by - 1) / by); };
    const double block = work / multiply_adds_per_nanosecond * (divided(rows, grid.teams) + weights_as_rows);
    const double one =
        divided(blocks, grid.parts) * block + (grid.parts > 1 ? barrier * (1 + 0.25 * grid.parts) : 0.0);
    return double(steps) * one + (grid.threads() > 1 ? grid_start * (1 + 0.1 * grid.threads()) : 0.0);
  }
  /// Whether it is worth a thread of its own.
  bool is_large() const { return on({}) > grid_start; }
};

/// The grid that is expected to take the shortest; more threads must be worth a fifth.
inline Grid choose_grid(const StepCost& step, int threads) {
  Grid best;
  double lowest = step.on(best) * 0.8;
  if (lowest <= grid_start) return best;  // no thread can be worth its start
  for (int parts = 1; parts <= min_of(threads, max_of(step.blocks, 1)); ++parts)
    for (int teams = parts == 1 ? 2 : 1; teams <= min_of(threads / parts, max_of(step.rows, 1)); ++teams) {
      const double expected = step.on({teams, parts});
      if (expected >= lowest) continue;
      lowest = expected;
      best = {teams, parts};
    }
  return best;
}

/// One place in the grid.
struct Worker {
  int thread, threads;  ///< of the call, for work that all share
  int team, teams;      ///< its rows: team, team + teams, ...
  int part, parts;      ///< its units

  Worker(int number, Grid grid)
      : thread(number),
        threads(grid.threads()),
        team(number / grid.parts),
        teams(grid.teams),
        part(number % grid.parts),
        parts(grid.parts) {}

  int64_t rows(int64_t active) const { return active > team ? (active - team + teams - 1) / teams : 0; }
  int64_t sorted(int64_t local) const { return team + local * teams; }
};

}  // namespace weft::WEFT_ISA
