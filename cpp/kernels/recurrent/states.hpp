// The sequence driver's states, and what forward leaves of them for backward.
#pragma once

#include "kernels/recurrent/sequence.hpp"

namespace weft::WEFT_ISA {

/// States before each step, and what a step saves, for the steps from `first` on. Block s holds the state
/// before step s of the rows that reach it. In inference only two blocks exist, used in turn.
template <class T>
struct States {
  T *h = nullptr, *c = nullptr;
  T* saved = nullptr;    ///< gates, row-steps from `first` on; one step's worth in inference
  T* outputs = nullptr;  ///< h before the projection, likewise
  int64_t first = 0;
  bool ring = false;
  int64_t ring_rows = 0;

  int64_t block(const Geometry<T>& g, int64_t step) const {
    if (ring) return (step - first) % 2 * ring_rows;
    return step == first ? 0 : g.active(first) + g.row_steps(first, step - 1);
  }
  int64_t row(const Geometry<T>& g, int64_t step) const { return ring ? 0 : g.row_steps(first, step); }

  /// Whether the states before the steps [begin, end) lie one after the other, as row-steps do.
  bool dense(const Geometry<T>& g, int64_t begin, int64_t end) const {
    return block(g, end - 1) - block(g, begin) == g.row_steps(begin, end - 1);
  }

  /// Memory for `rows` rows and `row_steps` row-steps, from an arena.
  static States take(Arena& arena, const Geometry<T>& g, int64_t rows, int64_t row_steps) {
    States s;
    s.h = arena.take<T>((rows + row_steps) * g.h_row);
    if (g.cell.has_c) s.c = arena.take<T>((rows + row_steps) * g.c_row);
    s.saved = arena.take<T>(row_steps * g.saved_row);
    if (g.projected()) s.outputs = arena.take<T>(row_steps * g.outputs_row);
    return s;
  }
  static States take_ring(Arena& arena, const Geometry<T>& g, int64_t rows, bool keeps_step) {
    States s;
    s.ring = true;
    s.ring_rows = rows;
    s.h = arena.take<T>(2 * rows * g.h_row);
    if (g.cell.has_c) s.c = arena.take<T>(2 * rows * g.c_row);
    if (keeps_step) s.saved = arena.take<T>(rows * g.saved_row);
    if (g.projected()) s.outputs = arena.take<T>(rows * g.outputs_row);
    return s;
  }
};

/// What forward leaves for backward: all states, or with checkpoints the states before every k-th step.
template <class T>
struct Saved {
  States<T> all;
  T *h = nullptr, *c = nullptr;  ///< [segments, B, row] with checkpoints

  static Saved take(Arena& arena, const Geometry<T>& g) {
    Saved s;
    const int64_t batch = g.problem.batch;
    if (g.arguments.checkpoint_every > 0) {
      s.h = arena.take<T>(g.segments() * batch * g.h_row);
      if (g.cell.has_c) s.c = arena.take<T>(g.segments() * batch * g.c_row);
    } else {
      s.all = States<T>::take(arena, g, batch, g.plan().steps == 0 ? 0 : g.row_steps(0, g.plan().steps));
    }
    return s;
  }
};

}  // namespace weft::WEFT_ISA
