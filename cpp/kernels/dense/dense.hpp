// The dense kernels of this instruction set: linear.cpp, embedding.cpp.
#pragma once

#include "kernels/dense/dense_table.hpp"

namespace weft::WEFT_ISA {

template <class T>
int64_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads);
template <class T>
int64_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads);
template <class T>
void linear_forward(const LinearForward<T>&, int threads);
template <class T>
void linear_backward(const LinearBackward<T>&, int threads);
template <class T>
void embedding_forward(const EmbeddingForward<T>&, int threads);
template <class T>
void embedding_backward(const EmbeddingBackward<T>&, int threads);

template <class T>
inline constexpr DenseKernels<T> dense_kernels = {
    .linear_forward_workspace = &linear_forward_workspace<T>,
    .linear_backward_workspace = &linear_backward_workspace<T>,
    .linear_forward = &linear_forward<T>,
    .linear_backward = &linear_backward<T>,
    .embedding_forward = &embedding_forward<T>,
    .embedding_backward = &embedding_backward<T>,
};

}  // namespace weft::WEFT_ISA
