// Dense layers: linear, embedding, layer normalization.
//
// T is float or double. Views may have any row stride; their last axis is contiguous. Outputs and accumulated
// arrays may not overlap anything else; inputs may alias each other. An optional view is left out as {}.
// Every function throws BadArgument, before it writes anything, where a shape, an index or a value is wrong.
// Workspaces are bytes, 64-byte aligned. A call uses at most `threads` threads (0: num_threads()); results do
// not depend on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

///   y = x weight^T + bias
template <class T>
struct LinearForward {
  View<const T, 2> x{};        ///< [R, I]  in
  View<const T, 2> weight{};   ///< [O, I]  in
  View<const T, 1> bias{};     ///< [O]     in, optional
  View<T, 2> y{};              ///< [R, O]  out
  void* workspace = nullptr;   ///< scratch
  size_t workspace_bytes = 0;  ///< at least linear_forward_workspace()
  int threads = 0;
};
template <class T>
WEFT_API void linear_forward(const LinearForward<T>& call);
/// How many bytes of workspace calls need, from the shape of weight and the number of threads.
template <class T>
WEFT_API size_t linear_forward_workspace(const LinearForward<T>& call);

///   dx       = dy weight
///   dweight += dy^T x
///   dbias   += sum over rows of dy
template <class T>
struct LinearBackward {
  View<const T, 2> x{};        ///< [R, I]  in, as given to forward
  View<const T, 2> weight{};   ///< [O, I]  in, as given to forward
  View<const T, 2> dy{};       ///< [R, O]  in
  View<T, 2> dx{};             ///< [R, I]  out, optional
  View<T, 2> dweight{};        ///< [O, I]  accumulated, optional
  View<T, 1> dbias{};          ///< [O]     accumulated, optional
  void* workspace = nullptr;   ///< scratch
  size_t workspace_bytes = 0;  ///< at least linear_backward_workspace()
  int threads = 0;
};
template <class T>
WEFT_API void linear_backward(const LinearBackward<T>& call);
template <class T>
WEFT_API size_t linear_backward_workspace(const LinearBackward<T>& call);

/// The position of the first index that is neither `ignored` nor in [0, size), or -1.
WEFT_API int64_t find_index_outside(View<const int64_t, 1> indices, int64_t size, int64_t ignored = 0);

///   y[r] = weight[indices[r]]
template <class T>
struct EmbeddingForward {
  View<const int64_t, 1> indices{};  ///< [R]     in, each in [0, V)
  View<const T, 2> weight{};         ///< [V, D]  in
  View<T, 2> y{};                    ///< [R, D]  out
  int threads = 0;
};
template <class T>
WEFT_API void embedding_forward(const EmbeddingForward<T>& call);

///   dweight[indices[r]] += dy[r]     for every r in order, except where indices[r] == padding_index
template <class T>
struct EmbeddingBackward {
  View<const int64_t, 1> indices{};  ///< [R]     in, each in [0, V)
  View<const T, 2> dy{};             ///< [R, D]  in
  View<T, 2> dweight{};              ///< [V, D]  accumulated
  int64_t padding_index = -1;
  int threads = 0;
};
template <class T>
WEFT_API void embedding_backward(const EmbeddingBackward<T>& call);

/// With the mean and the (biased) variance of each row of x:
///
///   y = (x - mean) / sqrt(variance + eps) * weight + bias
template <class T>
struct LayerNormForward {
  View<const T, 2> x{};       ///< [R, D]  in
  View<const T, 1> weight{};  ///< [D]     in, optional
  View<const T, 1> bias{};    ///< [D]     in, optional
  double eps = 1e-5;          ///< >= 0
  View<T, 2> y{};             ///< [R, D]  out
  View<T, 2> mean{};  ///< [R, 2]  out, contiguous, kept for backward: the mean, and its rounding error
  View<T, 1> inverse_deviation{};  ///< [R]  out, kept for backward: 1 / sqrt(variance + eps)
  int threads = 0;
};
template <class T>
WEFT_API void layer_norm_forward(const LayerNormForward<T>& call);

template <class T>
struct LayerNormBackward {
  View<const T, 2> x{};                  ///< [R, D]  in, as given to forward
  View<const T, 1> weight{};             ///< [D]     in, as given to forward
  View<const T, 2> mean{};               ///< [R, 2]  in, as given by forward
  View<const T, 1> inverse_deviation{};  ///< [R]     in, as given by forward
  View<const T, 2> dy{};                 ///< [R, D]  in
  View<T, 2> dx{};                       ///< [R, D]  out, optional
  View<T, 1> dweight{};                  ///< [D]     accumulated, optional
  View<T, 1> dbias{};                    ///< [D]     accumulated, optional
  void* workspace = nullptr;             ///< scratch
  size_t workspace_bytes = 0;            ///< at least layer_norm_backward_workspace()
  int threads = 0;
};
template <class T>
WEFT_API void layer_norm_backward(const LayerNormBackward<T>& call);
/// How many bytes of workspace calls need, from the shape of x.
template <class T>
WEFT_API size_t layer_norm_backward_workspace(const LayerNormBackward<T>& call);

}  // namespace weft
