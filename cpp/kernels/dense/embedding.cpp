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
    const Range rows = share(p.indices.shape[0], thread, shares);
    const size_t bytes = size_t(p.weight.shape[1]) * sizeof(T);
    for (int64_t r = rows.begin; r < rows.end; ++r)
      __builtin_memcpy(p.y.row(r), p.weight.row(p.indices.data[r]), bytes);
  });
}

template <class T>
void embedding_backward(const EmbeddingBackward<T>& p, int threads) {
  // y[r] = W[indices[r]]: several rows may add to one row of dW, so the threads divide its columns.
  parallel(threads, [&](int thread, int shares) {
    const Range columns = share(p.dweight.shape[1], thread, shares, lanes<T>);
    for (int64_t r = 0; r < p.indices.shape[0]; ++r) {
      const int64_t index = p.indices.data[r];
      if (index == p.padding_index) continue;
      const T* dy = p.dy.row(r);
      T* dweight = p.dweight.row(index);
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
