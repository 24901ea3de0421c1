// The pointwise kernels: a table of them for cpp/src, and those of this instruction set. They take the
// arguments of weft/pointwise.hpp once they are checked, and the number of threads.
#pragma once

#include "weft/pointwise.hpp"

namespace weft {

template <class T>
struct ActivationKernels {
  void (*forward)(const ActivationForward<T>&, int threads);
  void (*backward)(const ActivationBackward<T>&, int threads);
};

template <class T>
struct PointwiseKernels {
  ActivationKernels<T> activations[6];  // in the order of weft::Activation
  void (*swiglu_forward)(const SwigluForward<T>&, int threads);
  void (*swiglu_backward)(const SwigluBackward<T>&, int threads);
  void (*rotary)(const Rotary<T>&, bool inverse, int threads);
  void (*dropout)(const Dropout<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
void relu_forward(const ActivationForward<T>&, int threads);
template <class T>
void relu_backward(const ActivationBackward<T>&, int threads);
template <class T>
void gelu_forward(const ActivationForward<T>&, int threads);
template <class T>
void gelu_backward(const ActivationBackward<T>&, int threads);
template <class T>
void gelu_tanh_forward(const ActivationForward<T>&, int threads);
template <class T>
void gelu_tanh_backward(const ActivationBackward<T>&, int threads);
template <class T>
void silu_forward(const ActivationForward<T>&, int threads);
template <class T>
void silu_backward(const ActivationBackward<T>&, int threads);
template <class T>
void sigmoid_forward(const ActivationForward<T>&, int threads);
template <class T>
void sigmoid_backward(const ActivationBackward<T>&, int threads);
template <class T>
void tanh_forward(const ActivationForward<T>&, int threads);
template <class T>
void tanh_backward(const ActivationBackward<T>&, int threads);
template <class T>
void swiglu_forward(const SwigluForward<T>&, int threads);
template <class T>
void swiglu_backward(const SwigluBackward<T>&, int threads);
template <class T>
void rotary(const Rotary<T>&, bool inverse, int threads);
template <class T>
void dropout(const Dropout<T>&, int threads);

template <class T>
inline constexpr PointwiseKernels<T> pointwise_kernels = {
    .activations = {{&relu_forward<T>, &relu_backward<T>},
                    {&gelu_forward<T>, &gelu_backward<T>},
                    {&gelu_tanh_forward<T>, &gelu_tanh_backward<T>},
                    {&silu_forward<T>, &silu_backward<T>},
                    {&sigmoid_forward<T>, &sigmoid_backward<T>},
                    {&tanh_forward<T>, &tanh_backward<T>}},
    .swiglu_forward = &swiglu_forward<T>,
    .swiglu_backward = &swiglu_backward<T>,
    .rotary = &rotary<T>,
    .dropout = &dropout<T>,
};

}  // namespace WEFT_ISA
#endif

}  // namespace weft
