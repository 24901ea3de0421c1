// The dense kernels: a table of them for cpp/src, and those of this instruction set. They take the arguments
// of weft/dense.hpp once they are checked, and the number of threads. Workspaces are bytes.
#pragma once

#include "weft/dense.hpp"

namespace weft {

template <class T>
struct DenseKernels {
  size_t (*linear_forward_workspace)(int64_t inputs, int64_t outputs, int threads);
  size_t (*linear_backward_workspace)(int64_t inputs, int64_t outputs, int threads);
  void (*linear_forward)(const LinearForward<T>&, int threads);
  void (*linear_backward)(const LinearBackward<T>&, int threads);
  void (*embedding_forward)(const EmbeddingForward<T>&, int threads);
  void (*embedding_backward)(const EmbeddingBackward<T>&, int threads);
  size_t (*layer_norm_backward_workspace)(int64_t rows, int64_t size);
  void (*layer_norm_forward)(const LayerNormForward<T>&, int threads);
  void (*layer_norm_backward)(const LayerNormBackward<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
size_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads);
template <class T>
size_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads);
template <class T>
void linear_forward(const LinearForward<T>&, int threads);
template <class T>
void linear_backward(const LinearBackward<T>&, int threads);
template <class T>
void embedding_forward(const EmbeddingForward<T>&, int threads);
template <class T>
void embedding_backward(const EmbeddingBackward<T>&, int threads);
template <class T>
size_t layer_norm_backward_workspace(int64_t rows, int64_t size);
template <class T>
void layer_norm_forward(const LayerNormForward<T>&, int threads);
template <class T>
void layer_norm_backward(const LayerNormBackward<T>&, int threads);

template <class T>
inline constexpr DenseKernels<T> dense_kernels = {
    .linear_forward_workspace = &linear_forward_workspace<T>,
    .linear_backward_workspace = &linear_backward_workspace<T>,
    .linear_forward = &linear_forward<T>,
    .linear_backward = &linear_backward<T>,
    .embedding_forward = &embedding_forward<T>,
    .embedding_backward = &embedding_backward<T>,
    .layer_norm_backward_workspace = &layer_norm_backward_workspace<T>,
    .layer_norm_forward = &layer_norm_forward<T>,
    .layer_norm_backward = &layer_norm_backward<T>,
};

}  // namespace WEFT_ISA
#endif

}  // namespace weft
