// Scaled dot-product attention, forward and backward, in memory that grows with T + S, not with T S.
//
//   S   = scale q k^T
//   S   = softcap tanh(S / softcap)     where softcap > 0
//   S  += float_mask + bias
//   P   = softmax(S)                    over the keys that a query may attend to
//   out = dropout(P) v
//
// Shapes: B batch, N query heads, Nk key heads (N / Nk query heads share one), T queries, S keys, D and E
// elements of a key and of a value. The last axis of q, k, v and of all results is contiguous; the other
// axes, and all axes of mask, float_mask and bias, may have any strides (0 where an axis is broadcast). T is
// float or double, the same for all arrays.
//
// A query with nothing to attend to gives zeros and has zero gradients; its normalizer is (-inf, 0). Keys and
// values that no query attends to have no effect, even if they are NaN. Nothing is allocated: ask for the
// size of the workspace, then provide 64-byte aligned memory. Between the two, neither the number of threads
// nor the instruction set may change. Results are the same bits for any number of threads. Every function
// throws BadArgument, before it writes anything, where a shape or value is wrong.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// The arguments of forward, which backward takes again. An optional view is left out as {}. All views are
/// only read; they may alias each other, but nothing that a call writes.
template <class T>
struct AttentionArguments {
  View<const T, 4> q{};                 ///< [B, N, T, D]
  View<const T, 4> k{};                 ///< [B, Nk, S, D]
  View<const T, 4> v{};                 ///< [B, Nk, S, E]
  View<const bool, 4> mask{};           ///< [B, N, T, S] optional: true means attend
  View<const T, 4> float_mask{};        ///< [B, N, T, S] optional: added
  View<const T, 4> bias{};              ///< [B, N, T, S] optional: added; it may have a gradient
  View<const int64_t, 1> kv_lengths{};  ///< [B] optional: keys of each element of the batch, in 0..S
  double scale = 1;                     ///< usually 1 / sqrt(D)
  double softcap = 0;                   ///< 0: none
  /// The position of query t among the keys: t, or from the end t + (keys of its row) - T.
  bool from_end = false;
  int64_t left = -1, right = -1;   ///< how many keys a query sees before and after its position; -1: all
  double dropout = 0;              ///< in [0, 1), of the weights
  uint64_t seed = 0, offset = 0;   ///< of the random numbers of dropout
  int threads = 0;                 ///< the most to use; 0: num_threads()
  const char* operation = "sdpa";  ///< how errors name the call
};

/// Bytes of workspace that each function needs. They check every argument, as the functions do.
template <class T>
WEFT_API size_t attention_forward_workspace(const AttentionArguments<T>& arguments);
template <class T>
WEFT_API size_t attention_backward_workspace(const AttentionArguments<T>& arguments);
template <class T>
WEFT_API size_t attention_weights_workspace(const AttentionArguments<T>& arguments);

/// out, and two numbers of each query: m = max_s S and sum = sum_s exp(S - m), so that the log-sum-exp of the
/// scores is m + log(sum). They are kept as two, since one would lose the sum to rounding where m is large, as
/// under a mask of -1e9.
template <class T>
struct AttentionForward {
  AttentionArguments<T> arguments{};
  View<T, 4> out{};           ///< [B, N, T, E]  out
  View<T, 4> normalizer{};    ///< [B, N, T, 2]  out, contiguous: (m, sum)
  void* workspace = nullptr;  ///< attention_forward_workspace() bytes
};
template <class T>
WEFT_API void attention_forward(const AttentionForward<T>& call);

template <class T>
struct AttentionBackward {
  AttentionArguments<T> arguments{};
  View<const T, 4> out{};         ///< in, as forward wrote it
  View<const T, 4> normalizer{};  ///< in, as forward wrote it
  View<const T, 4> dout{};        ///< [B, N, T, E]  in
  View<T, 4> dq{}, dk{}, dv{};    ///< as q, k, v    out
  void* workspace = nullptr;      ///< attention_backward_workspace() bytes
};
template <class T>
WEFT_API void attention_backward(const AttentionBackward<T>& call);

/// dbias += dL/dS, summed over the axes along which the bias was broadcast.
template <class T>
struct AttentionBiasGradient {
  AttentionArguments<T> arguments{};
  View<const T, 4> out{};         ///< in, as forward wrote it
  View<const T, 4> normalizer{};  ///< in, as forward wrote it
  View<const T, 4> dout{};        ///< [B, N, T, E]  in
  View<T, 4> dbias{};             ///< contiguous, each axis 1 or that of [B, N, T, S]; accumulated
  void* workspace = nullptr;      ///< attention_backward_workspace() bytes
};
template <class T>
WEFT_API void attention_bias_gradient(const AttentionBiasGradient<T>& call);

/// The attention weights dropout(P).
template <class T>
struct AttentionWeights {
  AttentionArguments<T> arguments{};
  View<const T, 4> normalizer{};  ///< in, as forward wrote it
  View<T, 4> weights{};       ///< [B, N, T, S], or [B, 1, T, S] their mean over the heads; out, contiguous
  void* workspace = nullptr;  ///< attention_weights_workspace() bytes
};
template <class T>
WEFT_API void attention_weights(const AttentionWeights<T>& call);

}  // namespace weft
