// Dense layers: linear, embedding.
//
// T is float or double. Views may have any row stride; their last axis is contiguous. Outputs and accumulated
// arrays may not overlap anything else; inputs may alias each other. An optional view is left out as {}.
// Every function throws BadArgument, before it writes anything, where a shape or an index is
// wrong. A call uses at most `threads` threads (0: num_threads()); results do not depend on it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// How many elements of T linear_forward and linear_backward need as workspace for that many threads (0:
/// num_threads()).
template <class T>
WEFT_API int64_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads = 0);
template <class T>
WEFT_API int64_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads = 0);

///   y = x weight^T + bias
///
///   x          [R, I]  in
///   weight     [O, I]  in
///   bias       [O]     in, optional
///   y          [R, O]  out
///   workspace  [linear_forward_workspace(I, O)] scratch
template <class T>
WEFT_API void linear_forward(View<const T, 2> x, View<const T, 2> weight, View<const T, 1> bias, View<T, 2> y,
                             View<T, 1> workspace, int threads = 0);

///   dx       = dy weight
///   dweight += dy^T x
///   dbias   += sum over rows of dy
///
///   x          [R, I]  in, as given to forward
///   weight     [O, I]  in, as given to forward
///   dy         [R, O]  in
///   dx         [R, I]  out, optional
///   dweight    [O, I]  accumulated, optional
///   dbias      [O]     accumulated, optional
///   workspace  [linear_backward_workspace(I, O)] scratch
template <class T>
WEFT_API void linear_backward(View<const T, 2> x, View<const T, 2> weight, View<const T, 2> dy, View<T, 2> dx,
                              View<T, 2> dweight, View<T, 1> dbias, View<T, 1> workspace, int threads = 0);

/// The position of the first index that is neither `ignored` nor in [0, size), or -1.
WEFT_API int64_t find_index_outside(View<const int64_t, 1> indices, int64_t size, int64_t ignored = 0);

///   y[r] = weight[indices[r]]
///
///   indices    [R]     in, each in [0, V)
///   weight     [V, D]  in
///   y          [R, D]  out
template <class T>
WEFT_API void embedding_forward(View<const int64_t, 1> indices, View<const T, 2> weight, View<T, 2> y,
                                int threads = 0);

///   dweight[indices[r]] += dy[r]     for every r in order, except where indices[r] == padding_index
///
///   indices    [R]     in, each in [0, V)
///   dy         [R, D]  in
///   dweight    [V, D]  accumulated
template <class T>
WEFT_API void embedding_backward(View<const int64_t, 1> indices, View<const T, 2> dy, View<T, 2> dweight,
                                 int64_t padding_index = -1, int threads = 0);

}  // namespace weft
