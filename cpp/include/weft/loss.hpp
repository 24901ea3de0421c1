// Softmax cross-entropy.
//
// T is float or double. Logits may have any row stride; every last axis is contiguous. Outputs may not
// overlap anything else. An optional view is left out as {}. Both functions throw BadArgument, before they
// write anything, where a shape, a value or a target is wrong. A call uses at most `threads` threads (0:
// num_threads()); results do not depend on it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// Over all rows: the sum of the weighted losses, and the sum of the weights of the rows that are not
/// ignored. Their quotient is the mean loss. If all weights are zero, the caller chooses what the mean is.
struct CrossEntropyTotals {
  double loss, weight;
};

///   loss_r = -weight_r sum_v q_rv log softmax(logits_r)_v     q_r: the smoothed one-hot of targets_r
///
/// Rows that are ignored or have weight zero are not read, so a NaN there has no effect. A loss keeps its
/// relative precision where the target's probability is nearly 1, and is infinite where that is 0. A single
/// logit of +infinity has probability 1; two of them give NaN.
template <class T>
struct CrossEntropyForward {
  View<const T, 2> logits{};         ///< [R, V]  in, V >= 1
  View<const int64_t, 1> targets{};  ///< [R]     in, each in [0, V) or ignore_index
  View<const T, 1> weight{};         ///< [R]     in, optional: all ones
  int64_t ignore_index = -100;       ///< rows with this target are ignored
  double label_smoothing = 0;        ///< s in [0, 1]: the target distribution is (1 - s) one-hot + s uniform
  View<T, 1> losses{};               ///< [R]     out, zero where ignored
  View<T, 2> normalizer{};  ///< [R, 2]  out, optional, contiguous: max(logits_r), sum of exp(logit - max)
  int threads = 0;
};
template <class T>
WEFT_API CrossEntropyTotals softmax_cross_entropy_forward(const CrossEntropyForward<T>& call);

///   dlogits_rv = scale dlosses_r weight_r (softmax(logits_r)_v - q_rv)
template <class T>
struct CrossEntropyBackward {
  View<const T, 2> logits{};         ///< [R, V]  in, as given to forward, and so the next four
  View<const int64_t, 1> targets{};  ///< [R]
  View<const T, 1> weight{};         ///< [R]
  int64_t ignore_index = -100;
  double label_smoothing = 0;
  View<const T, 2> normalizer{};  ///< [R, 2]  in, as given by forward
  double scale = 1;               ///< dloss for the sum of the losses, dloss / totals.weight for their mean
  View<const T, 1> dlosses{};     ///< [R]     in, optional: all ones
  View<T, 2> dlogits{};  ///< [R, V]  out; zero where scale dlosses weight is, whatever the logits hold
  int threads = 0;
};
template <class T>
WEFT_API void softmax_cross_entropy_backward(const CrossEntropyBackward<T>& call);

}  // namespace weft
