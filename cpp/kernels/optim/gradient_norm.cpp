// What clipping by norm needs: the sum of the squares of an array, and the array times a number.
//
// The sum is taken in double precision over fixed blocks of elements, whose sums are added in order.
#include "kernels/optim/optim.hpp"
#include "kernels/pointwise/elementwise.hpp"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t block = 8192;

template <class T>
double block_sum(const T* x, int64_t size) {
  double sums[32] = {};
  int64_t i = 0;
  for (; i + 32 <= size; i += 32)
    for (int64_t j = 0; j < 32; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  for (int64_t j = 0; i + j < size; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  for (int64_t width = 16; width > 0; width /= 2)
    for (int64_t j = 0; j < width; ++j) sums[j] += sums[j + width];
  return sums[0];
}

}  // namespace

template <class T>
size_t sum_of_squares_workspace(int64_t size) {
  return size_t((size + block - 1) / block) * sizeof(double);
}

template <class T>
double sum_of_squares(const SumOfSquares<T>& p, int threads) {
  const int64_t size = p.x.shape[0], blocks = (size + block - 1) / block;
  double* const sums = static_cast<double*>(p.workspace);
  parallel(threads, [&](int thread, int team) {
    const Range range = share(blocks, thread, team);
    for (int64_t b = range.begin; b < range.end; ++b)
      sums[b] = block_sum(p.x.data + b * block, min_of(block, size - b * block));
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += sums[b];
  return total;
}

template <class T>
void scale(const Scale<T>& p, int threads) {
  T* const x = p.x.data;
  const double factor = p.factor;
  if (factor == 0 || __builtin_isnormal(T(factor))) {
    const Vec<T> f = broadcast(T(factor));
    for_each_vector_parallel<T>(p.x.shape[0], threads, [&](int64_t i, int64_t n) {
      store(x + i, Eigen::internal::pmul(load(x + i, n), f), n);
    });
  } else {  // a factor for which T has no digits: its products may well have theirs
    for_each_vector_parallel<T>(p.x.shape[0], threads, [&](int64_t i, int64_t n) {
      for (int64_t j = i; j < i + n; ++j) x[j] = T(double(x[j]) * factor);
    });
  }
}

template size_t sum_of_squares_workspace<float>(int64_t);
template size_t sum_of_squares_workspace<double>(int64_t);
template double sum_of_squares(const SumOfSquares<float>&, int);
template double sum_of_squares(const SumOfSquares<double>&, int);
template void scale(const Scale<float>&, int);
template void scale(const Scale<double>&, int);

// The family's table.
template const OptimKernels<float> optim_kernels<float>;
template const OptimKernels<double> optim_kernels<double>;

}  // namespace weft::WEFT_ISA
