// The sequence driver: what its forward and backward share. It knows time, direction, ragged lengths, resets,
// threads and products; a cell (cells/<cell>.hpp) knows only the pointwise maths of one tile.
//
// A step s of a row is its s-th valid step in the order of processing: time s, or length - 1 - s in reverse.
// Rows are sorted by length, longest first, so the rows active at step s are the first active[s]; arrays of
// all row-steps are dense, (s, j) at row offset[s] + j, and hold no padding. Who does what of a step is in
// team.hpp.
//
// Shapes: T time, B batch, I input, H hidden, P width of the state h, G gates. Every row in a buffer of the
// driver is padded with zeros to whole vectors, so cells need no tails.
#pragma once

#include "kernels/gemm/gemm.hpp"
#include "kernels/gemm/small_m_product.hpp"
#include "kernels/memory/arena.hpp"
#include "kernels/recurrent/cells/cell.hpp"
#include "kernels/recurrent/recurrent_table.hpp"
#include "kernels/threads/team.hpp"

namespace weft::WEFT_ISA {

/// Row-steps whose pre-activations are in flight at once: enough for the input's product, few enough for the
/// second-level cache.
inline constexpr int64_t chunk_rows = tuning.chunk_rows;

template <class T>
inline void copy_row(T* to, const T* from, Range range) {
  int64_t i = range.begin;
  for (; i + lanes<T> <= range.end; i += lanes<T>) store(to + i, load(from + i));
  for (; i < range.end; ++i) to[i] = from[i];
}
template <class T>
inline void copy_row(T* to, const T* from, int64_t n) {
  copy_row(to, from, Range{0, n});
}
template <class T>
inline void zero_row(T* to, Range range) {
  for (int64_t i = range.begin; i < range.end; ++i) to[i] = T(0);
}
/// Of a row of n elements from + offset, zeros beyond it; all zeros where `from` is null.
template <class T>
inline void copy_or_zero(T* to, const T* from, int64_t offset, Range range, int64_t n) {
  const Range valid{range.begin, from ? max_of(range.begin, min_of(range.end, n)) : range.begin};
  if (from) copy_row(to, from + offset, valid);
  zero_row(to, {valid.end, range.end});
}

/// A range in blocks of `size`, aligned to multiples of it.
struct Blocks {
  Range range;
  int64_t size, first, count;

  Blocks(Range r, int64_t of)
      : range(r), size(of), first(r.begin / of), count((r.end + of - 1) / of - r.begin / of) {}

  /// body(first, count) for each, in an order that turns at every step.
  template <class Body>
  void each(int64_t step, const Body& body) const {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = (first + (step % 2 == 0 ? i : count - 1 - i)) * size;
      const Range part{max_of(begin, range.begin), min_of(begin + size, range.end)};
      body(part.begin, part.end - part.begin);
    }
  }
};

/// Sizes of one call: everything that follows from the problem and its cell.
template <class T>
struct Geometry {
  static constexpr int64_t width = lanes<T>;

  /// Rows of one step for which weights are not packed, if their shape allows it.
  static constexpr int64_t most_in_place = 2 * lanes<T>;

  /// Columns of the recurrent weights that lie side by side where rows are few, for backward.
  static constexpr int64_t group = 8 * width;

  const RecurrentProblem<T>& problem;
  const CellInfo& cell;
  const CellMaths<T>& maths;
  /// Units of a tile: about eight vectors over all gates, so that even a single row fills the multiply-add
  /// units.
  const int64_t block;
  const Grid grid;
  /// A team's rows fit in one tile of eight panels. Then a step takes as long as reading its weights from the
  /// second-level cache: they lie in the order in which they are read, and every other step reads them
  /// backwards, so that it begins with those that are still in the first-level cache.
  const bool few_rows;
  /// One step of rows so few that packing weights for it, forward and backward, would not pay.
  const bool one_step;
  int64_t hidden, state, input;  // padded to whole vectors
  int64_t h_row, c_row, saved_row, input_row, gates_row, slots_row, outputs_row;

  explicit Geometry(const RecurrentProblem<T>& p) : Geometry(p, p.threads) {}
  /// With fewer threads than the problem may have.
  Geometry(const RecurrentProblem<T>& p, int threads)
      : problem(p),
        cell(cell_info(p.cell)),
        maths(cell_maths<T>(p.cell)),
        block(block_of(cell)),
        grid(choose_grid(cost_of(p), threads)),
        few_rows(p.batch <= int64_t(grid.teams) * tile_rows(8)),
        one_step(p.plan.steps == 1 && p.batch <= most_in_place),
        hidden(round_up(p.hidden, width)),
        state(round_up(p.state, width)),
        input(round_up(p.input, width)),
        h_row(row_stride<T>(state)),
        c_row(row_stride<T>(hidden)),
        saved_row(row_stride<T>(cell.saved * hidden)),
        input_row(row_stride<T>(input)),
        gates_row(row_stride<T>(cell.gates * hidden)),
        slots_row(row_stride<T>(cell.slots * hidden)),
        outputs_row(row_stride<T>(hidden)) {}

  bool projected() const { return problem.w_proj != nullptr; }

  /// Whether forward uses W_ih and W_hh where they lie.
  bool forward_in_place() const {
    return one_step && (problem.batch <= WEFT_ISA::few_rows ||
                        (fills_vectors<T>(problem.batch) && !conflicts_in_cache<T>(problem.w_ih_row) &&
                         !conflicts_in_cache<T>(problem.w_hh_row)));
  }
  /// Whether backward does: their rows are panels where they are whole vectors.
  bool dx_in_place() const {
    return one_step && problem.input == input && problem.hidden == hidden &&
           !conflicts_in_cache<T>(problem.w_ih_row);
  }
  bool dh_in_place() const {
    return one_step && problem.state == state && problem.hidden == hidden &&
           !conflicts_in_cache<T>(problem.w_hh_row);
  }
  const SequencePlan& plan() const { return problem.plan; }
  int64_t active(int64_t step) const { return plan().active[step]; }
  int64_t row_steps(int64_t first, int64_t last) const { return plan().offset[last] - plan().offset[first]; }

  /// Where step s of sorted row j lies in the caller's arrays.
  int64_t time_of(int64_t step, int64_t j) const {
    return problem.reverse ? plan().length[j] - 1 - step : step;
  }

  /// The steps from `first` that make up a chunk of at most `rows` row-steps, one step at the least.
  int64_t chunk_end(int64_t first, int64_t last, int64_t rows) const {
    int64_t end = first + 1;
    while (end < last && row_steps(first, end + 1) <= rows) ++end;
    return end;
  }
  /// A thread's units of `hidden`, whole blocks; and its columns of `state`, the same ones where it may be.
  Range units(const Worker& w) const { return share(hidden, w.part, w.parts, block); }
  Range columns(const Worker& w) const {
    return projected() ? share(state, w.part, w.parts, width) : units(w);
  }
  static int64_t block_of(const CellInfo& cell) {
    return width * (cell.gates == 1 ? 8 : cell.gates <= 4 ? 2 : 1);
  }
  static StepCost cost_of(const RecurrentProblem<T>& p) {
    const CellInfo& cell = cell_info(p.cell);
    const int64_t block = block_of(cell);
    const int64_t steps = p.plan.steps, row_steps = steps == 0 ? 0 : p.plan.offset[steps];
    const int64_t rows = steps == 0 ? 0 : (row_steps + steps - 1) / steps;
    const int64_t units = min_of(block, round_up(p.hidden, width));
    const double work = double(cell.gates) * double(units) * double(p.state);
    return {rows, (p.hidden + block - 1) / block, work, steps};
  }
  /// Steps between saved states.
  int64_t segment() const {
    return problem.checkpoint_every > 0 ? min_of(problem.checkpoint_every, max_of(plan().steps, 1))
                                        : max_of(plan().steps, 1);
  }
  int64_t segments() const { return (plan().steps + segment() - 1) / segment(); }
  /// Row-steps of a chunk of the backward pass. Where the weights' gradients are too large for the
  /// second-level cache, they are fetched for more steps at a time.
  int64_t backward_rows() const {
    const int64_t gradients = cell.gates * hidden * (input + state) * int64_t(sizeof(T));
    return gradients > tuning.large_gradients_bytes ? tuning.backward_rows_of_large : tuning.backward_rows;
  }
  /// The most row-steps that a chunk of the forward pass can have, and a segment.
  int64_t largest_chunk() const { return max_of(chunk_rows, problem.batch); }
  int64_t largest_segment() const {  // the first one, since rows only become fewer
    return plan().steps == 0 ? 0 : row_steps(0, min_of(segment(), plan().steps));
  }
};

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
    const RecurrentProblem<T>& p = g.problem;
    if (p.checkpoint_every > 0) {
      s.h = arena.take<T>(g.segments() * p.batch * g.h_row);
      if (g.cell.has_c) s.c = arena.take<T>(g.segments() * p.batch * g.c_row);
    } else {
      s.all = States<T>::take(arena, g, p.batch, g.plan().steps == 0 ? 0 : g.row_steps(0, g.plan().steps));
    }
    return s;
  }
};

/// Jobs at once, where each is worth a thread; else one after the other.
template <class T, class Job>
void run_jobs(const Job* jobs, int count, void (*run)(const Job&, const Geometry<T>&)) {
  bool large = count > 1;
  for (int j = 0; j < count; ++j) large = large && Geometry<T>::cost_of(jobs[j].problem).is_large();
  const auto run_one = [&](int j) {
    const RecurrentProblem<T>& p = jobs[j].problem;
    run(jobs[j], Geometry<T>(p, worthwhile_shares(p.threads)));
  };
  if (large) return for_shares(count, run_one);
  for (int j = 0; j < count; ++j) run_one(j);
}

}  // namespace weft::WEFT_ISA
