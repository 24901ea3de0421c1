// The attention kernels: a table of them for cpp/src, and those of this instruction set. They take the
// arguments of weft/attention.hpp once they are checked, and the number of threads. Workspaces are bytes.
#pragma once

#include "weft/attention.hpp"

namespace weft {

template <class T>
struct AttentionKernels {
  size_t (*forward_workspace)(const AttentionArguments<T>&, int threads);
  size_t (*backward_workspace)(const AttentionArguments<T>&, int threads);
  size_t (*weights_workspace)(const AttentionArguments<T>&, int threads);
  void (*forward)(const AttentionForward<T>&, int threads);
  void (*backward)(const AttentionBackward<T>&, int threads);
  void (*weights)(const AttentionWeights<T>&, int threads);
  void (*bias_gradient)(const AttentionBiasGradient<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
size_t attention_forward_workspace(const AttentionArguments<T>&, int threads);
template <class T>
size_t attention_backward_workspace(const AttentionArguments<T>&, int threads);
template <class T>
size_t attention_weights_workspace(const AttentionArguments<T>&, int threads);
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

}  // namespace WEFT_ISA
#endif

}  // namespace weft
