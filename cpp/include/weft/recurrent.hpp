// Recurrent layers, forward and backward: one call for a whole batch of sequences.
//
// Cells: recurrent_cells(); the equations are in cpp/kernels/recurrent/cells.
//
// Nothing is allocated: ask recurrent_sizes(), bring 64-byte aligned memory; where
// arguments.threads is 0, the number of threads must still be what it was then. `saved` carries what
// backward needs from a forward call to its backward calls (any number of them); it does not copy the
// arguments, which must stay as they were. Results are the same bits for any number of threads.
#pragma once

#include <span>

#include "weft/export.h"
#include "weft/recurrent_call.hpp"

namespace weft {

/// Every cell there is.
WEFT_API std::span<const CellInfo> recurrent_cells();

/// Checks every argument. Throws std::invalid_argument: operation, argument, expected and actual shape or
/// value.
template <class T>
WEFT_API RecurrentSizes recurrent_sizes(const RecurrentArguments<T>& arguments, bool training);

/// Calls that have nothing to do with each other, such as both directions of a layer. They run
/// side by side where each is worth a thread, so give each its share in arguments.threads. What one call
/// writes no other may touch. Throws as recurrent_sizes does, before anything is written.
template <class T>
WEFT_API void recurrent_forward(std::span<const RecurrentForwardCall<T>> calls);
template <class T>
void recurrent_forward(const RecurrentForwardCall<T>& call) {
  recurrent_forward(std::span(&call, 1));
}

/// Bytes of workspace for the backward of what forward left in `saved`, whatever has been set since.
template <class T>
WEFT_API size_t recurrent_backward_workspace(const RecurrentArguments<T>& arguments, const void* saved);

template <class T>
WEFT_API void recurrent_backward(std::span<const RecurrentBackwardCall<T>> calls);
template <class T>
void recurrent_backward(const RecurrentBackwardCall<T>& call) {
  recurrent_backward(std::span(&call, 1));
}

}  // namespace weft
