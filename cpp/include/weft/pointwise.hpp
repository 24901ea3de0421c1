// Layers that work on single elements or rows: layer normalization, activations, SwiGLU, rotary positions,
// dropout.
//
// T is float or double. Matrices may have any row stride; every last axis is contiguous. Outputs and
// accumulated arrays may not overlap anything else; inputs may alias each other. An optional view is left out
// as {}. Every function throws BadArgument, before it writes anything, where a shape or a
// value is wrong. A call uses at most `threads` threads (0: num_threads()); results do not depend on it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// With the mean and the (biased) variance of each row of x:
///
///   y = (x - mean) / sqrt(variance + eps) * weight + bias
///
///   x                  [R, D]  in
///   weight, bias       [D]     in, optional
///   eps                >= 0
///   y                  [R, D]  out
///   mean               [R, 2]  out, contiguous, kept for backward: the mean, and its rounding error
///   inverse_deviation  [R]     out, kept for backward: 1 / sqrt(variance + eps)
template <class T>
WEFT_API void layer_norm_forward(View<const T, 2> x, View<const T, 1> weight, View<const T, 1> bias,
                                 double eps, View<T, 2> y, View<T, 2> mean, View<T, 1> inverse_deviation,
                                 int threads = 0);

/// How many elements of T layer_norm_backward needs as workspace.
template <class T>
WEFT_API int64_t layer_norm_backward_workspace(int64_t rows, int64_t size);

///   x, weight, mean, inverse_deviation  in, as given to and by forward
///   dy         [R, D]  in
///   dx         [R, D]  out, optional
///   dweight    [D]     accumulated, optional
///   dbias      [D]     accumulated, optional
///   workspace  [layer_norm_backward_workspace(R, D)] scratch
template <class T>
WEFT_API void layer_norm_backward(View<const T, 2> x, View<const T, 1> weight, View<const T, 2> mean,
                                  View<const T, 1> inverse_deviation, View<const T, 2> dy, View<T, 2> dx,
                                  View<T, 1> dweight, View<T, 1> dbias, View<T, 1> workspace,
                                  int threads = 0);

///   relu       max(x, 0)
///   gelu       x Phi(x)
///   gelu_tanh  x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
///   silu       x sigmoid(x)
enum class Activation { relu, gelu, gelu_tanh, silu, sigmoid, tanh };

/// What backward reads: the activation's input (gelu, gelu_tanh, silu) or its output (relu, sigmoid, tanh).
constexpr bool keeps_input(Activation activation) {
  return activation == Activation::gelu || activation == Activation::gelu_tanh ||
         activation == Activation::silu;
}

///   y = activation(x)
///
///   x  [N]  in
///   y  [N]  out
template <class T>
WEFT_API void activation_forward(Activation activation, View<const T, 1> x, View<T, 1> y, int threads = 0);

///   dx = dy activation'(x)
///
///   kept  [N]  in, forward's x or y: see keeps_input
///   dy    [N]  in
///   dx    [N]  out
template <class T>
WEFT_API void activation_backward(Activation activation, View<const T, 1> kept, View<const T, 1> dy,
                                  View<T, 1> dx, int threads = 0);

/// One half of the features is the gate of the other:
///
///   y = a sigmoid(a) b     x = [a; b]
///
///   x  [R, 2 F]  in
///   y  [R, F]    out
template <class T>
WEFT_API void swiglu_forward(View<const T, 2> x, View<T, 2> y, int threads = 0);

///   da = dy b s (1 + a (1 - s))     s = sigmoid(a)
///   db = dy a s
///
///   x   [R, 2 F]  in, as given to forward
///   dy  [R, F]    in
///   dx  [R, 2 F]  out, [da; db]
template <class T>
WEFT_API void swiglu_backward(View<const T, 2> x, View<const T, 2> dy, View<T, 2> dx, int threads = 0);

/// Rotates pairs of features by an angle:
///
///   y_a = x_a cos - x_b sin
///   y_b = x_b cos + x_a sin
///
/// Pair i of the P pairs is (a, b) = (2 i, 2 i + 1) if interleaved, else (i, i + P). Features from 2 P on are
/// copied unchanged.
///
///   x         [B, N, T, D]            in, any strides but the last axis contiguous
///   cos, sin  [B, T, P] or [1, T, P]  in, of the angle of each pair at each step; 2 P <= D
///   y         [B, N, T, D]            out, likewise; it may be x itself
template <class T>
WEFT_API void rotary_forward(View<const T, 4> x, View<const T, 3> cos, View<const T, 3> sin, bool interleaved,
                             View<T, 4> y, int threads = 0);

///   dx_a = dy_a cos + dy_b sin
///   dx_b = dy_b cos - dy_a sin
///
///   dy                     [B, N, T, D]  in
///   cos, sin, interleaved  as given to forward
///   dx                     [B, N, T, D]  out; it may be dy itself
template <class T>
WEFT_API void rotary_backward(View<const T, 4> dy, View<const T, 3> cos, View<const T, 3> sin,
                              bool interleaved, View<T, 4> dx, int threads = 0);

///   y_e = x_e / (1 - p)     where element e is kept, else 0
///
/// Element e is kept if word e % 4 of Philox 4x32-10's block (e / 4, offset) under the key `seed` is at least
/// p 2^32: a function of (seed, offset, e) alone.
///
///   x  [N]  in
///   p  in [0, 1]; 1 drops everything
///   y  [N]  out
template <class T>
WEFT_API void dropout_forward(View<const T, 1> x, double p, uint64_t seed, uint64_t offset, View<T, 1> y,
                              int threads = 0);

///   dx_e = dy_e / (1 - p)     where element e was kept, else 0
///
///   p, seed, offset  as given to forward
///   dy  [N]  in
///   dx  [N]  out
template <class T>
WEFT_API void dropout_backward(View<const T, 1> dy, double p, uint64_t seed, uint64_t offset, View<T, 1> dx,
                               int threads = 0);

}  // namespace weft
