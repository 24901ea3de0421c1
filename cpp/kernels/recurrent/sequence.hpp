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
#include "kernels/recurrent/rows.hpp"
#include "kernels/threads/team.hpp"

namespace weft::WEFT_ISA {

/// Row-steps whose pre-activations are in flight at once: enough for the input's product, few enough for the
/// second-level cache.
inline constexpr int64_t chunk_rows = tuning.chunk_rows;

/// Sizes of one call: everything that follows from the problem and its cell.
template <class T>
struct Geometry {
  static constexpr int64_t width = lanes<T>;

  /// Rows of one step for which weights are not packed, if their shape allows it.
  static constexpr int64_t most_in_place = 2 * lanes<T>;

  /// Columns of the recurrent weights that lie side by side where rows are few, for backward.
  static constexpr int64_t group = 8 * width;

  const RecurrentProblem<T>& problem;
  const RecurrentArguments<T>& arguments;
  const CellInfo& cell;
  const CellMaths<T>& maths;
  const int64_t block;  ///< units of a block
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
        arguments(*p.arguments),
        cell(cell_info(p.cell)),
        maths(cell_maths<T>(p.cell)),
        block(width * block_vectors(cell)),
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

  bool projected() const { return bool(arguments.w_proj); }

  /// Whether forward uses W_ih and W_hh in place.
  bool forward_in_place() const {
    return one_step &&
           (problem.batch <= WEFT_ISA::few_rows ||
            (fills_vectors<T>(problem.batch) && !conflicts_in_cache<T>(arguments.w_ih.stride[0]) &&
             !conflicts_in_cache<T>(arguments.w_hh.stride[0])));
  }
  /// Whether backward does: their rows are panels where they are whole vectors.
  bool dx_in_place() const {
    return one_step && problem.input == input && problem.hidden == hidden &&
           !conflicts_in_cache<T>(arguments.w_ih.stride[0]);
  }
  bool dh_in_place() const {
    return one_step && problem.state == state && problem.hidden == hidden &&
           !conflicts_in_cache<T>(arguments.w_hh.stride[0]);
  }
  const SequencePlan& plan() const { return problem.plan; }
  int64_t active(int64_t step) const { return plan().active[step]; }
  int64_t row_steps(int64_t first, int64_t last) const { return plan().offset[last] - plan().offset[first]; }

  /// Where step s of sorted row j lies in the caller's arrays.
  int64_t time_of(int64_t step, int64_t j) const {
    return arguments.reverse ? plan().length[j] - 1 - step : step;
  }

  /// The row of [B, T, N] that belongs to it.
  template <class X>
  X* row_of(const View<X, 3>& array, int64_t step, int64_t j) const {
    return array.data + plan().order[j] * array.stride[0] + time_of(step, j) * array.stride[1];
  }
  /// Whether its state is zeroed before that step. Any byte but 0 says so, as no bool may.
  bool is_reset(int64_t step, int64_t j) const {
    const auto& resets = arguments.resets;
    const auto* bytes = reinterpret_cast<const unsigned char*>(resets.data);
    return bytes[plan().order[j] * resets.stride[0] + time_of(step, j) * resets.stride[1]] != 0;
  }

  /// A thread's units of `hidden`, whole blocks; and its columns of `state`, the same ones where it may be.
  Range units(const Worker& w) const { return share(hidden, w.part, w.parts, block); }
  Range columns(const Worker& w) const {
    return projected() ? share(state, w.part, w.parts, width) : units(w);
  }
  static StepCost cost_of(const RecurrentProblem<T>& p) {
    const CellInfo& cell = cell_info(p.cell);
    const int64_t block = width * block_vectors(cell);
    const int64_t steps = p.plan.steps, row_steps = steps == 0 ? 0 : p.plan.offset[steps];
    const int64_t rows = steps == 0 ? 0 : (row_steps + steps - 1) / steps;
    const int64_t units = min_of(block, round_up(p.hidden, width));
    const double work = double(cell.gates) * double(units) * double(p.state);
    return {rows, (p.hidden + block - 1) / block, work, steps};
  }
  /// Steps between saved states.
  int64_t segment() const {
    return arguments.checkpoint_every > 0 ? min_of(arguments.checkpoint_every, max_of(plan().steps, 1))
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

}  // namespace weft::WEFT_ISA
