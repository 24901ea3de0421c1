// The recurrent family as cpp/src sees it: one problem description and three functions for every cell.
//
// Shapes: T time, B batch, I input, H hidden units, G gates, P width of the state h (H without a projection).
// Optional pointers are null where absent. Strides count elements; last axes are contiguous.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/cell_info.hpp"

namespace weft {

/// The order of work. Rows are sorted by length, longest first, so that the rows still active at a step are a
/// prefix.
struct SequencePlan {
  int64_t steps;          ///< the longest length
  const int64_t* order;   ///< [B] the caller's row of each sorted row
  const int64_t* length;  ///< [B] its length, descending
  const int64_t* active;  ///< [steps + 1] rows with length > step
  const int64_t* offset;  ///< [steps + 1] row-steps before each step
};

template <class T>
struct RecurrentProblem {
  int cell;  ///< its place in RecurrentKernels::cells
  int64_t time, batch, input, hidden, state;
  const T *x, *w_ih, *w_hh, *b_ih, *b_hh;
  const T* extra;   ///< [E, H] the cell's own per-unit weights (peepholes)
  const T* w_proj;  ///< [P, H]
  const T *h0, *c0;
  const T* recurrent_mask;  ///< [B, T, P] multiplies the state that enters the recurrent product
  const T* zoneout_mask;    ///< [B, T, P] how much of the previous state stays
  // Bytes, since a caller's need not be 0 or 1, as bools must.
  const unsigned char* resets;  ///< [B, T] the state is zeroed before that step
  int64_t x_batch, x_time, w_ih_row, w_hh_row, extra_row, w_proj_row, h0_row, c0_row;
  int64_t recurrent_mask_batch, recurrent_mask_time, zoneout_batch, zoneout_time, resets_batch, resets_time;
  bool reverse;
  int64_t checkpoint_every;  ///< 0: everything that backward needs is saved
  int threads;               ///< at most
  SequencePlan plan;
};

template <class T>
struct RecurrentOutputs {
  T *y, *h_n, *c_n;
  int64_t y_batch, y_time, h_n_row, c_n_row;
};

template <class T>
struct RecurrentGradients {
  const T *dy, *dh_n, *dc_n;                            ///< given; null means zero
  T *dx, *dh0, *dc0;                                    ///< overwritten
  T *dw_ih, *dw_hh, *db_ih, *db_hh, *dextra, *dw_proj;  ///< accumulated
  int64_t dy_batch, dy_time, dh_n_row, dc_n_row, dx_batch, dx_time, dh0_row, dc0_row;
  int64_t dw_ih_row, dw_hh_row, dextra_row, dw_proj_row;
};

/// Bytes, aligned to 64.
struct RecurrentMemory {
  size_t saved, forward_workspace, backward_workspace;
};

/// One call among several that run side by side.
template <class T>
struct ForwardJob {
  RecurrentProblem<T> problem;
  RecurrentOutputs<T> outputs;
  void *saved, *workspace;  ///< saved is null in inference
};
template <class T>
struct BackwardJob {
  RecurrentProblem<T> problem;
  RecurrentGradients<T> gradients;
  const void* saved;
  void* workspace;
};

template <class T>
struct RecurrentKernels {
  const CellInfo* cells;  ///< the same ones, in the same order, for every instruction set
  int count;
  RecurrentMemory (*memory)(const RecurrentProblem<T>&, bool training);
  /// Jobs that share nothing they write: each on its problem's threads, at once or one after the other.
  void (*forward)(const ForwardJob<T>* jobs, int count);
  void (*backward)(const BackwardJob<T>* jobs, int count);
};

}  // namespace weft
