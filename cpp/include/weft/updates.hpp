// The updates of the optimizers, in place, with PyTorch's formulas; and the two functions that clipping by
// norm needs.
//
// T is float or double; all arrays of a call are contiguous and of one size [N]. Arrays that are written may
// not overlap any other. An optional view is left out as {}. Every function throws BadArgument, before it
// writes anything, where a size or a number is wrong. A call uses at most `threads` threads (0:
// num_threads()); results do not depend on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

///   g = grad + weight_decay w
///   v = momentum v + (1 - dampening) g
///   w = w - lr v
///
///   nesterov           w = w - lr (g + momentum v)
///   without velocity   w = w - lr g
template <class T>
struct SgdUpdate {
  View<T, 1> param{};       ///< [N]  in and out: w
  View<const T, 1> grad{};  ///< [N]  in
  View<T, 1> velocity{};    ///< [N]  in and out, optional without momentum: v
  double lr = 0, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  int threads = 0;
};
template <class T>
WEFT_API void sgd_update(const SgdUpdate<T>& call);

///   g = grad + weight_decay w               decoupled: w = w - lr weight_decay w,  g = grad
///   m = beta1 m + (1 - beta1) g
///   v = beta2 v + (1 - beta2) g^2           with max_v (amsgrad): the largest v so far is used below
///   w = w - lr m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps)
template <class T>
struct AdamUpdate {
  View<T, 1> param{};       ///< [N]  in and out: w
  View<const T, 1> grad{};  ///< [N]  in
  View<T, 1> m{}, v{};      ///< [N]  in and out
  View<T, 1> max_v{};       ///< [N]  in and out, optional
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay is applied to w, not added to the gradient
  int64_t step = 1;        ///< 1 at the first update
  int threads = 0;
};
template <class T>
WEFT_API void adam_update(const AdamUpdate<T>& call);

///   g = grad + weight_decay w
///   s = alpha s + (1 - alpha) g^2
///   u = g / (sqrt(s) + eps)
///   w = w - lr u
///
///   with grad_avg (centered)   a = alpha a + (1 - alpha) g     u = g / (sqrt(s - a^2) + eps)
///   with momentum_buffer       b = momentum b + u              w = w - lr b
template <class T>
struct RmspropUpdate {
  View<T, 1> param{};            ///< [N]  in and out: w
  View<const T, 1> grad{};       ///< [N]  in
  View<T, 1> square_avg{};       ///< [N]  in and out: s
  View<T, 1> momentum_buffer{};  ///< [N]  in and out, optional without momentum: b
  View<T, 1> grad_avg{};         ///< [N]  in and out, optional: a
  double lr = 0, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
  int threads = 0;
};
template <class T>
WEFT_API void rmsprop_update(const RmspropUpdate<T>& call);

///   g = grad + weight_decay w
///   s = s + g^2
///   w = w - lr / (1 + (step - 1) lr_decay) g / (sqrt(s) + eps)
template <class T>
struct AdagradUpdate {
  View<T, 1> param{};       ///< [N]  in and out: w
  View<const T, 1> grad{};  ///< [N]  in
  View<T, 1> state_sum{};   ///< [N]  in and out: s
  double lr = 0, eps = 1e-10, weight_decay = 0, lr_decay = 0;
  int64_t step = 1;  ///< 1 at the first update
  int threads = 0;
};
template <class T>
WEFT_API void adagrad_update(const AdagradUpdate<T>& call);

/// The sum of x_e^2, in double precision.
template <class T>
struct SumOfSquares {
  View<const T, 1> x{};        ///< [N]  in
  void* workspace = nullptr;   ///< scratch, 64-byte aligned
  size_t workspace_bytes = 0;  ///< at least sum_of_squares_workspace()
  int threads = 0;
};
template <class T>
WEFT_API double sum_of_squares(const SumOfSquares<T>& call);
/// How many bytes of workspace calls need, from the shape of x.
template <class T>
WEFT_API size_t sum_of_squares_workspace(const SumOfSquares<T>& call);

///   x_e = factor x_e
template <class T>
struct Scale {
  View<T, 1> x{};  ///< [N]  in and out
  double factor = 1;
  int threads = 0;
};
template <class T>
WEFT_API void scale(const Scale<T>& call);

}  // namespace weft
