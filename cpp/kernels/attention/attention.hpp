// The attention kernels of this instruction set: attention_forward.cpp, attention_backward.cpp,
// attention_bias_gradient.cpp, attention_weights.cpp.
#pragma once

#include "kernels/attention/attention_table.hpp"

namespace weft::WEFT_ISA {

template <class T>
int64_t attention_forward_workspace(const Attention<T>&, int threads);
template <class T>
int64_t attention_backward_workspace(const Attention<T>&, int threads);
template <class T>
int64_t attention_weights_workspace(const Attention<T>&, int threads);
template <class T>
void attention_forward(const AttentionForward<T>&, int threads);
template <class T>
void attention_backward(const AttentionBackward<T>&, int threads);
template <class T>
void attention_weights(const AttentionWeights<T>&, int threads);
template <class T>
void attention_bias_gradient(const AttentionBiasGradient<T>&, int threads);

template <class T>
inline constexpr AttentionKernels<T> attention_kernels = {
    .forward_workspace = &attention_forward_workspace<T>,
    .backward_workspace = &attention_backward_workspace<T>,
    .weights_workspace = &attention_weights_workspace<T>,
    .forward = &attention_forward<T>,
    .backward = &attention_backward<T>,
    .weights = &attention_weights<T>,
    .bias_gradient = &attention_bias_gradient<T>,
};

}  // namespace weft::WEFT_ISA
