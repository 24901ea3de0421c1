// Layers that work on single elements or rows: activations, SwiGLU, rotary positions, dropout.
//
// T is float or double. Matrices may have any row stride; every last axis is contiguous. Outputs may not
// overlap anything else; inputs may alias each other. Every function throws BadArgument, before it writes
// anything, where a shape or a value is wrong. A call uses at most `threads` threads (0: num_threads());
// results do not depend on it.
#pragma once

#include <cstdint>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

///   relu       max(x, 0)
///   gelu       x Phi(x)
///   gelu_tanh  x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
///   silu       x sigmoid(x)
enum class Activation { relu, gelu, gelu_tanh, silu, sigmoid, tanh };

/// What backward reads: the activation's input (gelu, gelu_tanh, silu) or its output (relu, sigmoid, tanh).
WEFT_INLINE constexpr bool keeps_input(Activation activation) {
  return activation == Activation::gelu || activation == Activation::gelu_tanh ||
         activation == Activation::silu;
}

///   y = activation(x)
template <class T>
struct ActivationForward {
  Activation activation;
  View<const T, 1> x{};  ///< [N]  in
  View<T, 1> y{};        ///< [N]  out
  int threads = 0;
};
template <class T>
WEFT_API void activation_forward(const ActivationForward<T>& call);

///   dx = dy activation'(x)
template <class T>
struct ActivationBackward {
  Activation activation;
  View<const T, 1> kept{};  ///< [N]  in, forward's x or y: see keeps_input
  View<const T, 1> dy{};    ///< [N]  in
  View<T, 1> dx{};          ///< [N]  out
  int threads = 0;
};
template <class T>
WEFT_API void activation_backward(const ActivationBackward<T>& call);

/// One half of the features is the gate of the other:
///
///   y = a sigmoid(a) b     x = [a; b]
template <class T>
struct SwigluForward {
  View<const T, 2> x{};  ///< [R, 2 F]  in
  View<T, 2> y{};        ///< [R, F]    out
  int threads = 0;
};
template <class T>
WEFT_API void swiglu_forward(const SwigluForward<T>& call);

///   da = dy b s (1 + a (1 - s))     s = sigmoid(a)
///   db = dy a s
template <class T>
struct SwigluBackward {
  View<const T, 2> x{};   ///< [R, 2 F]  in, as given to forward
  View<const T, 2> dy{};  ///< [R, F]    in
  View<T, 2> dx{};        ///< [R, 2 F]  out, [da; db]
  int threads = 0;
};
template <class T>
WEFT_API void swiglu_backward(const SwigluBackward<T>& call);

/// Rotates pairs of features.
///
///   forward     y_a = x_a cos - x_b sin      y_b = x_b cos + x_a sin
///   backward    y_a = x_a cos + x_b sin      y_b = x_b cos - x_a sin      x is dy, y is dx
///
/// Pair i of the P pairs is (a, b) = (2 i, 2 i + 1) if interleaved, else (i, i + P). Features from 2 P on are
/// copied unchanged.
template <class T>
struct Rotary {
  View<const T, 4> x{};    ///< [B, N, T, D]            in, any strides but the last axis contiguous
  View<const T, 3> cos{};  ///< [B, T, P] or [1, T, P]  in, of the angle of each pair at each step; 2 P <= D
  View<const T, 3> sin{};  ///< as cos
  bool interleaved = false;
  View<T, 4> y{};  ///< [B, N, T, D]            out, any strides likewise; it may be x itself
  int threads = 0;
};
template <class T>
WEFT_API void rotary_forward(const Rotary<T>& call);
template <class T>
WEFT_API void rotary_backward(const Rotary<T>& call);

///   y_e = x_e / (1 - p)     where element e is kept, else 0
///
/// Backward is the same function of dy.
///
/// Element e is kept if word e % 4 of Philox 4x32-10's block (e / 4, offset) under the key `seed` is at least
/// p 2^32: a function of (seed, offset, e) alone.
template <class T>
struct Dropout {
  View<const T, 1> x{};  ///< [N]  in; of backward, dy
  double p = 0;          ///< in [0, 1]; 1 drops everything
  uint64_t seed = 0, offset = 0;
  View<T, 1> y{};  ///< [N]  out; of backward, dx
  int threads = 0;
};
template <class T>
WEFT_API void dropout_forward(const Dropout<T>& call);
template <class T>
WEFT_API void dropout_backward(const Dropout<T>& call);

}  // namespace weft
