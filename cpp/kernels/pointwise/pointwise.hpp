// The pointwise kernels of this instruction set, one idea a file: layer_norm.cpp, activations.cpp, gelu.cpp,
// swiglu.cpp, rotary.cpp, dropout.cpp, cross_entropy.cpp, sgd.cpp, adam.cpp, rmsprop.cpp, adagrad.cpp,
// gradient_norm.cpp.
#pragma once

#include "kernels/pointwise/pointwise_table.hpp"

namespace weft::WEFT_ISA {

template <class T>
int64_t layer_norm_backward_workspace(int64_t rows, int64_t size);
template <class T>
void layer_norm_forward(const LayerNormForward<T>&, int threads);
template <class T>
void layer_norm_backward(const LayerNormBackward<T>&, int threads);

template <class T>
void relu_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void relu_backward(int64_t size, const T* y, const T* dy, T* dx, int threads);
template <class T>
void gelu_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void gelu_backward(int64_t size, const T* x, const T* dy, T* dx, int threads);
template <class T>
void gelu_tanh_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void gelu_tanh_backward(int64_t size, const T* x, const T* dy, T* dx, int threads);
template <class T>
void silu_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void silu_backward(int64_t size, const T* x, const T* dy, T* dx, int threads);
template <class T>
void sigmoid_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void sigmoid_backward(int64_t size, const T* y, const T* dy, T* dx, int threads);
template <class T>
void tanh_forward(int64_t size, const T* x, T* y, int threads);
template <class T>
void tanh_backward(int64_t size, const T* y, const T* dy, T* dx, int threads);

template <class T>
void swiglu_forward(const SwigluForward<T>&, int threads);
template <class T>
void swiglu_backward(const SwigluBackward<T>&, int threads);

template <class T>
void rotary(const Rotary<T>&, int threads);

template <class T>
void dropout(const Dropout<T>&, int threads);

template <class T>
CrossEntropySums cross_entropy_forward(const CrossEntropyForward<T>&, int threads);
template <class T>
void cross_entropy_backward(const CrossEntropyBackward<T>&, int threads);

template <class T>
void sgd_update(const SgdUpdate<T>&, int threads);
template <class T>
void adam_update(const AdamUpdate<T>&, int threads);
template <class T>
void rmsprop_update(const RmspropUpdate<T>&, int threads);
template <class T>
void adagrad_update(const AdagradUpdate<T>&, int threads);

template <class T>
int64_t sum_of_squares_workspace(int64_t size);
template <class T>
double sum_of_squares(int64_t size, const T* x, double* workspace, int threads);
template <class T>
void scale(int64_t size, T* x, double factor, int threads);

template <class T>
inline constexpr PointwiseKernels<T> pointwise_kernels = {
    .layer_norm_backward_workspace = &layer_norm_backward_workspace<T>,
    .layer_norm_forward = &layer_norm_forward<T>,
    .layer_norm_backward = &layer_norm_backward<T>,
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
    .cross_entropy_forward = &cross_entropy_forward<T>,
    .cross_entropy_backward = &cross_entropy_backward<T>,
    .sgd_update = &sgd_update<T>,
    .adam_update = &adam_update<T>,
    .rmsprop_update = &rmsprop_update<T>,
    .adagrad_update = &adagrad_update<T>,
    .sum_of_squares_workspace = &sum_of_squares_workspace<T>,
    .sum_of_squares = &sum_of_squares<T>,
    .scale = &scale<T>,
};

}  // namespace weft::WEFT_ISA
