// Recurrent layers, forward and backward: one call for a whole batch of sequences.
//
// Cells: recurrent_cells(). The equations are in cpp/kernels/recurrent/cells, and in help(weftnn.nn.LSTM),
// GRU and RNN.
//
// Nothing is allocated: ask recurrent_sizes(), then provide 64-byte aligned memory. Where arguments.threads
// is 0, the number of threads may not change between the two. Forward writes to `saved` what its backward
// calls need, any number of them. It does not copy the arguments, which must not change in between. Results
// are the same bits for any number of threads.
#pragma once

#include <span>

#include "weft/export.h"
#include "weft/recurrent_call.hpp"

namespace weft {

/// All cells.
WEFT_API std::span<const CellInfo> recurrent_cells();

/// Checks every argument. Throws BadArgument, which names the operation, the argument, and the expected and
/// the actual shape or value.
template <class T>
WEFT_API RecurrentSizes recurrent_sizes(const RecurrentArguments<T>& arguments, bool training);

/// Independent calls, such as the two directions of a layer. They run at the same time if each is worth a
/// thread, so arguments.threads of each is its share of the threads. What one call writes, no other may read
/// or write. Throws what recurrent_sizes throws, before it writes anything.
template <class T>
WEFT_API void recurrent_forward(std::span<const RecurrentForwardCall<T>> calls);
template <class T>
void recurrent_forward(const RecurrentForwardCall<T>& call) {
  recurrent_forward(std::span(&call, 1));
}

/// Bytes of workspace that backward needs for `saved`, whichever threads or instruction set are set now.
template <class T>
WEFT_API size_t recurrent_backward_workspace(const RecurrentArguments<T>& arguments, const void* saved);

template <class T>
WEFT_API void recurrent_backward(std::span<const RecurrentBackwardCall<T>> calls);
template <class T>
void recurrent_backward(const RecurrentBackwardCall<T>& call) {
  recurrent_backward(std::span(&call, 1));
}

}  // namespace weft
