// Additive attention scores (Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to
// align and translate", 2014). Given to attention.hpp as its bias, with q and k of size D = 0, they make
// additive attention.
//
// T is float or double. B batch, T queries, S keys, A units. The last axis of q, k, scores and their
// gradients is contiguous; the other axes may have any strides. Outputs and accumulated arrays may not
// overlap anything else; inputs may alias each other. Every function throws BadArgument, before it writes
// anything, where a shape is wrong. A call uses at most `threads` threads (0: num_threads()); results do not
// depend on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

///   scores[b, t, s] = sum_a weight[a] tanh(q[b, t, a] + k[b, s, a])
template <class T>
struct AdditiveScoresForward {
  View<const T, 3> q{};       ///< [B, T, A]  in
  View<const T, 3> k{};       ///< [B, S, A]  in
  View<const T, 1> weight{};  ///< [A]        in
  View<T, 3> scores{};        ///< [B, T, S]  out
  int threads = 0;
};
template <class T>
WEFT_API void additive_scores_forward(const AdditiveScoresForward<T>& call);

/// Computes the tanh again, so that no array of size T S A is ever stored. Where dscores is zero, as it is
/// where attention is masked, q and k are not read.
template <class T>
struct AdditiveScoresBackward {
  View<const T, 3> q{};        ///< [B, T, A]  in, as given to forward
  View<const T, 3> k{};        ///< [B, S, A]  in, as given to forward
  View<const T, 1> weight{};   ///< [A]        in, as given to forward
  View<const T, 3> dscores{};  ///< [B, T, S]  in
  View<T, 3> dq{};             ///< [B, T, A]  out
  View<T, 3> dk{};             ///< [B, S, A]  out
  View<T, 1> dweight{};        ///< [A]        accumulated
  void* workspace = nullptr;   ///< scratch, 64-byte aligned
  size_t workspace_bytes = 0;  ///< at least additive_scores_backward_workspace()
  int threads = 0;
};
template <class T>
WEFT_API void additive_scores_backward(const AdditiveScoresBackward<T>& call);
/// How many bytes of workspace calls need, from the shape of k and the number of threads.
template <class T>
WEFT_API size_t additive_scores_backward_workspace(const AdditiveScoresBackward<T>& call);

}  // namespace weft
