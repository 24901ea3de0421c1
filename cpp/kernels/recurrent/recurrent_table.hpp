// The recurrent family as cpp/src sees it: three functions for every cell. They read the caller's arguments
// as they are (weft/recurrent_call.hpp, with its shapes); beside them lies what follows from these.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/recurrent_call.hpp"

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

/// Arguments that were checked, and what follows from them.
template <class T>
struct RecurrentProblem {
  const RecurrentArguments<T>* arguments;
  int cell;     ///< its place in RecurrentKernels::cells
  int threads;  ///< at most
  SequencePlan plan;
  int64_t time, batch, input, hidden, state;
};

/// Bytes, aligned to 64.
struct RecurrentMemory {
  size_t saved, forward_workspace, backward_workspace;
};

/// One call among several that run side by side. Its memory is that of the kernels, behind what the caller of
/// the kernels keeps there.
template <class T>
struct ForwardJob {
  RecurrentProblem<T> problem;
  const RecurrentResults<T>* results;
  void *saved, *workspace;  ///< saved is null in inference
};
template <class T>
struct BackwardJob {
  RecurrentProblem<T> problem;
  const RecurrentGradientViews<T>* gradients;
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
