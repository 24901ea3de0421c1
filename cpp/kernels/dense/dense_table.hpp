// Kernels of dense layers: linear, embedding. Matrices are row-major; `x_row` is the stride of x's rows in
// elements.
#pragma once

#include <cstdint>

namespace weft {

/// y[R, O] = x[R, I] W[O, I]^T + b[O]
template <class T>
struct LinearForward {
  int64_t rows, inputs, outputs;
  const T* x;
  int64_t x_row;
  const T* weight;
  int64_t weight_row;
  const T* bias;  // may be null
  T* y;           // overwritten
  int64_t y_row;
  T* workspace;  // linear_forward_workspace elements
};

/// dx = dy W, dweight += dy^T x, dbias += sum of dy over rows; each of them may be null.
template <class T>
struct LinearBackward {
  int64_t rows, inputs, outputs;
  const T* x;
  int64_t x_row;
  const T* weight;
  int64_t weight_row;
  const T* dy;
  int64_t dy_row;
  T* dx;  // overwritten
  int64_t dx_row;
  T* dweight;  // accumulated
  int64_t dweight_row;
  T* dbias;      // accumulated
  T* workspace;  // linear_backward_workspace elements
};

/// y[R, D] = weight[indices[R], D]
template <class T>
struct EmbeddingForward {
  int64_t rows, size;
  const int64_t* indices;
  const T* weight;
  int64_t weight_row;
  T* y;  // overwritten
  int64_t y_row;
};

/// dweight[indices[r], :] += dy[r, :] for every r whose index is not padding_index.
template <class T>
struct EmbeddingBackward {
  int64_t rows, size, padding_index;
  const int64_t* indices;
  const T* dy;
  int64_t dy_row;
  T* dweight;  // accumulated
  int64_t dweight_row;
};

template <class T>
struct DenseKernels {
  int64_t (*linear_forward_workspace)(int64_t inputs, int64_t outputs, int threads);
  int64_t (*linear_backward_workspace)(int64_t inputs, int64_t outputs, int threads);
  void (*linear_forward)(const LinearForward<T>&, int threads);
  void (*linear_backward)(const LinearBackward<T>&, int threads);
  void (*embedding_forward)(const EmbeddingForward<T>&, int threads);
  void (*embedding_backward)(const EmbeddingBackward<T>&, int threads);
};

}  // namespace weft
