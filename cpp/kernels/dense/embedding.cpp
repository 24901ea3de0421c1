// Rows of a table, by index.
//
//   forward    y[r] = W[indices[r]]
//   backward   dW[indices[r]] += dy[r]    for every r in order, except where indices[r] is the padding index
//
//   indices [R]   W [V, D]   y [R, D]          R rows, V vocabulary, D size
#include "kernels/dense/dense.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

template <class T>
void embedding_forward(const EmbeddingForward<T>& p, int threads) {
  parallel(threads, [&](int thread, int shares) {
    const Range rows = share(p.rows, thread, shares);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T* source = p.weight + p.indices[r] * p.weight_row;
      __builtin_memcpy(p.y + r * p.y_row, source, size_t(p.size) * sizeof(T));
    }
  });
}

template <class T>
void embedding_backward(const EmbeddingBackward<T>& p, int threads) {
  // y[r] = W[indices[r]]: several rows may add to one row of dW, so the threads divide its columns.
  parallel(threads, [&](int thread, int shares) {
    const Range columns = share(p.size, thread, shares, lanes<T>);
    for (int64_t r = 0; r < p.rows; ++r) {
      const int64_t index = p.indices[r];
      if (index == p.padding_index) continue;
      const T* dy = p.dy + r * p.dy_row;
      T* dweight = p.dweight + index * p.dweight_row;
      for_each_vector<T>(columns.begin, columns.end, [&](int64_t i, int64_t n) {
        store(dweight + i, Eigen::internal::padd(load(dweight + i, n), load(dy + i, n)), n);
      });
    }
  });
}

template void embedding_forward(const EmbeddingForward<float>&, int);
template void embedding_forward(const EmbeddingForward<double>&, int);
template void embedding_backward(const EmbeddingBackward<float>&, int);
template void embedding_backward(const EmbeddingBackward<double>&, int);

// The family, for dispatch.
template const DenseKernels<float> dense_kernels<float>;
template const DenseKernels<double> dense_kernels<double>;

}  // namespace weft::WEFT_ISA
