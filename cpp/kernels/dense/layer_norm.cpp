// Layer normalization of rows.
//
//   xhat = (x - mean) r                              r   = 1 / sqrt(variance + eps)
//   y    = xhat w + b
//   dx   = r (g - mean(g) - xhat mean(g xhat))       g   = dy w
//   dw  += sum over rows of dy xhat                  db += sum over rows of dy
//
//   x, y [R, D]   w, b [D]   mean [R, 2] = (mean, rest)   r [R]          R rows, D features
//
// Ba, Kiros and Hinton, "Layer normalization", 2016.
#include "kernels/dense/row_statistics.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

using namespace Eigen::internal;

/// Rows whose contribution to dw and db is summed by one thread. It depends on the number of rows alone.
int64_t rows_per_block(int64_t rows) { return max_of(16, (rows + 63) / 64); }

}  // namespace

template <class T>
void layer_norm_forward(const LayerNormForward<T>& p, int threads) {
  parallel(threads, [&](int thread, int team) {
    const Vec<T> one = broadcast(T(1)), zero = broadcast(T(0));
    const Range rows = share(p.rows, thread, team);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T* x = p.x + r * p.x_row;
      T* y = p.y + r * p.y_row;
      const RowStatistics<T> row = RowStatistics<T>::of(x, p.size, p.eps);
      const Normalized<T> xhat(row);
      for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
        const Vec<T> w = p.weight == nullptr ? one : load(p.weight + i, n);
        store(y + i, fma(xhat(load(x + i, n)), w, p.bias == nullptr ? zero : load(p.bias + i, n)), n);
      });
      p.mean[2 * r] = row.mean;
      p.mean[2 * r + 1] = row.rest;
      p.inverse_deviation[r] = row.inverse * T(shrink);
    }
  });
}

template <class T>
int64_t layer_norm_backward_workspace(int64_t rows, int64_t size) {
  const int64_t block = rows_per_block(rows);
  return 2 * (rows + block - 1) / block * size;
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& p, int threads) {
  const int64_t block = rows_per_block(p.rows), blocks = (p.rows + block - 1) / block;
  const bool sums_wanted = p.dweight != nullptr || p.dbias != nullptr;
  parallel(threads, [&](int thread, int team) {
    const Vec<T> one = broadcast(T(1));
    const Range mine = share(blocks, thread, team);
    for (int64_t b = mine.begin; b < mine.end; ++b) {
      T* dweight = p.workspace + 2 * b * p.size;
      T* dbias = dweight + p.size;
      if (sums_wanted) __builtin_memset(dweight, 0, size_t(2 * p.size) * sizeof(T));
      for (int64_t r = b * block; r < min_of((b + 1) * block, p.rows); ++r) {
        const T* x = p.x + r * p.x_row;
        const T* dy = p.dy + r * p.dy_row;
        const T inverse = p.inverse_deviation[r];
        const Normalized<T> normalized({p.mean[2 * r], p.mean[2 * r + 1], inverse / T(shrink)});
        const auto xhat = [&](int64_t i, int64_t n) { return normalized(load(x + i, n)); };
        /// g + other
        const auto plus_g = [&](int64_t i, int64_t n, const Vec<T>& other) {
          return fma(load(dy + i, n), p.weight == nullptr ? one : load(p.weight + i, n), other);
        };
        // y = xhat w + b   =>   dw += dy xhat, db += dy
        if (sums_wanted)
          for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
            const Vec<T> d = load(dy + i, n);
            store(dweight + i, fma(d, xhat(i, n), load(dweight + i, n)), n);
            store(dbias + i, padd(load(dbias + i, n), d), n);
          });
        if (p.dx == nullptr) continue;
        // xhat = (x - mean) r   =>   dx = r (g - mean(g) - xhat mean(g xhat)); e = g - mean(g), but for the
        // rest by which that mean is rounded, and mean(xhat) = 0
        T mean, sums[2];
        row_sums<T, 1>(p.size, &mean, [&](int64_t i, int64_t n, Vec<T>* sum) __attribute__((always_inline)) {
          *sum = plus_g(i, n, *sum);
        });
        const Vec<T> minus_mean = broadcast(-mean / T(p.size));
        row_sums<T, 2>(p.size, sums, [&](int64_t i, int64_t n, Vec<T>* sum) __attribute__((always_inline)) {
          const Vec<T> e = plus_g(i, n, minus_mean);
          sum[0] = padd(sum[0], e);
          sum[1] = fma(e, xhat(i, n), sum[1]);
        });
        const Vec<T> along_one = broadcast(-sums[0] / T(p.size) * inverse),
                     along_x = broadcast(-sums[1] / T(p.size)), factor = broadcast(inverse);
        T* dx = p.dx + r * p.dx_row;
        for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
          store(dx + i, fma(fma(along_x, xhat(i, n), plus_g(i, n, minus_mean)), factor, along_one), n);
        });
      }
    }
  });
  if (!sums_wanted) return;
  parallel(threads, [&](int thread, int team) {
    const Range columns = share(p.size, thread, team, lanes<T>);
    for (int64_t b = 0; b < blocks; ++b)
      for_each_vector<T>(columns.begin, columns.end, [&](int64_t i, int64_t n) {
        const T* dweight = p.workspace + 2 * b * p.size + i;
        if (p.dweight != nullptr) store(p.dweight + i, padd(load(p.dweight + i, n), load(dweight, n)), n);
        if (p.dbias != nullptr) store(p.dbias + i, padd(load(p.dbias + i, n), load(dweight + p.size, n)), n);
      });
  });
}

template void layer_norm_forward(const LayerNormForward<float>&, int);
template void layer_norm_forward(const LayerNormForward<double>&, int);
template int64_t layer_norm_backward_workspace<float>(int64_t, int64_t);
template int64_t layer_norm_backward_workspace<double>(int64_t, int64_t);
template void layer_norm_backward(const LayerNormBackward<float>&, int);
template void layer_norm_backward(const LayerNormBackward<double>&, int);

}  // namespace weft::WEFT_ISA
