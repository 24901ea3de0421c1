// What clipping by norm needs: the sum of the squares of an array, and the array times a number.
//
// The sum is taken in double precision over fixed blocks of elements, whose sums are added in order.
#include "kernels/pointwise/elementwise.hpp"
#include "kernels/pointwise/pointwise.hpp"

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
int64_t sum_of_squares_workspace(int64_t size) {
  return (size + block - 1) / block;
}

template <class T>
double sum_of_squares(int64_t size, const T* x, double* workspace, int threads) {
  const int64_t blocks = sum_of_squares_workspace<T>(size);
  parallel(threads, [&](int thread, int team) {
    const Range range = share(blocks, thread, team);
    for (int64_t b = range.begin; b < range.end; ++b)
      workspace[b] = block_sum(x + b * block, min_of(block, size - b * block));
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += workspace[b];
  return total;
}

template <class T>
void scale(int64_t size, T* x, double factor, int threads) {
  if (factor == 0 || __builtin_isnormal(T(factor))) {
    const Vec<T> f = broadcast(T(factor));
    for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
      store(x + i, Eigen::internal::pmul(load(x + i, n), f), n);
    });
  } else {  // a factor for which T has no digits: its products may well have theirs
    for_each_vector_parallel<T>(size, threads, [&](int64_t i, int64_t n) {
      for (int64_t j = i; j < i + n; ++j) x[j] = T(double(x[j]) * factor);
    });
  }
}

template int64_t sum_of_squares_workspace<float>(int64_t);
template int64_t sum_of_squares_workspace<double>(int64_t);
template double sum_of_squares(int64_t, const float*, double*, int);
template double sum_of_squares(int64_t, const double*, double*, int);
template void scale(int64_t, float*, double, int);
template void scale(int64_t, double*, double, int);

}  // namespace weft::WEFT_ISA
