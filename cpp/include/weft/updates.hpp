// The updates of the optimizers, in place, with PyTorch's formulas; and the two functions that clipping by
// norm needs.
//
// T is float or double; all arrays of a call are contiguous and have the same size [N]. Arrays that are
// written may
// not overlap any other. An optional view is left out as {}. Every function throws
// BadArgument, before it writes anything, where a size or a number is wrong. A call uses at most
// `threads` threads (0: num_threads()); results do not depend on it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

struct SgdOptions {
  double lr, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
};

///   g = grad + weight_decay w
///   v = momentum v + (1 - dampening) g
///   w = w - lr v
///
///   nesterov           w = w - lr (g + momentum v)
///   without velocity   w = w - lr g
///
///   param     [N]  in and out
///   grad      [N]  in
///   velocity  [N]  in and out, optional without momentum
template <class T>
WEFT_API void sgd_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> velocity,
                         const SgdOptions& options, int threads = 0);

struct AdamOptions {
  double lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay is applied to w, not added to the gradient
  int64_t step = 1;        ///< 1 at the first update
};

///   g = grad + weight_decay w               decoupled: w = w - lr weight_decay w,  g = grad
///   m = beta1 m + (1 - beta1) g
///   v = beta2 v + (1 - beta2) g^2           with max_v (amsgrad): the largest v so far is used below
///   w = w - lr m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps)
///
///   param  [N]  in and out
///   grad   [N]  in
///   m, v   [N]  in and out
///   max_v  [N]  in and out, optional
template <class T>
WEFT_API void adam_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> m, View<T, 1> v,
                          View<T, 1> max_v, const AdamOptions& options, int threads = 0);

struct RmspropOptions {
  double lr, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
};

///   g = grad + weight_decay w
///   s = alpha s + (1 - alpha) g^2
///   u = g / (sqrt(s) + eps)
///   w = w - lr u
///
///   with grad_avg (centered)   a = alpha a + (1 - alpha) g     u = g / (sqrt(s - a^2) + eps)
///   with momentum_buffer       b = momentum b + u              w = w - lr b
///
///   param            [N]  in and out
///   grad             [N]  in
///   square_avg       [N]  in and out: s
///   momentum_buffer  [N]  in and out, optional without momentum: b
///   grad_avg         [N]  in and out, optional: a
template <class T>
WEFT_API void rmsprop_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> square_avg,
                             View<T, 1> momentum_buffer, View<T, 1> grad_avg, const RmspropOptions& options,
                             int threads = 0);

struct AdagradOptions {
  double lr, eps = 1e-10, weight_decay = 0, lr_decay = 0;
  int64_t step = 1;  ///< 1 at the first update
};

///   g = grad + weight_decay w
///   s = s + g^2
///   w = w - lr / (1 + (step - 1) lr_decay) g / (sqrt(s) + eps)
///
///   param      [N]  in and out
///   grad       [N]  in
///   state_sum  [N]  in and out: s
template <class T>
WEFT_API void adagrad_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> state_sum,
                             const AdagradOptions& options, int threads = 0);

/// How many doubles sum_of_squares needs as workspace.
template <class T>
WEFT_API int64_t sum_of_squares_workspace(int64_t size);

/// The sum of x_e^2, in double precision.
///
///   x          [N]  in
///   workspace  [sum_of_squares_workspace(N)] scratch
template <class T>
WEFT_API double sum_of_squares(View<const T, 1> x, View<double, 1> workspace, int threads = 0);

///   x_e = factor x_e
///
///   x  [N]  in and out
template <class T>
WEFT_API void scale(View<T, 1> x, double factor, int threads = 0);

}  // namespace weft
