// Layer normalisation of rows.
//
//   xhat = (x - mean) r,   r = 1 / sqrt(variance + eps)          y = xhat w + b
//   g    = dy w            dx = r (g - mean(g) - xhat mean(g xhat))
//   dw  += sum over rows of dy xhat          db += sum over rows of dy
//
//   x, y [R, D]   w, b [D]   mean, r [R]          R rows, D features
//
// Ba, Kiros and Hinton, "Layer normalization", 2016.
#include <math.h>

#include "isa.hpp"
#include "parallel.hpp"
#include "pointwise.hpp"

namespace weft::WEFT_ISA {
namespace {

using namespace Eigen::internal;

/// Sum of term(i, n) over a row; term must give zero past its n-th lane.
template <class T, class Term>
T row_sum(int64_t size, const Term& term) {
  Vec<T> a = broadcast(T(0)), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes<T> <= size; i += 2 * lanes<T>) {
    a = padd(a, term(i, int64_t(lanes<T>)));
    b = padd(b, term(i + lanes<T>, int64_t(lanes<T>)));
  }
  for_each_vector<T>(i, size, [&](int64_t j, int64_t n) { a = padd(a, term(j, n)); });
  return predux(padd(a, b));
}

/// The first n lanes of v, zero behind.
template <class T>
Vec<T> first(const Vec<T>& v, int64_t n) {
  if (n == lanes<T>) return v;
  T values[lanes<T>];
  store(values, v);
  return load_partial(values, n);
}

/// Rows whose contribution to dw and db is summed by one thread. It depends on the number of rows alone.
int64_t rows_per_block(int64_t rows) { return max_of(16, (rows + 63) / 64); }

}  // namespace

template <class T>
void layer_norm_forward(const LayerNormForward<T>& p, int threads) {
  const T per_size = T(1) / T(p.size);
  parallel(threads, [&](int thread, int team) {
    const Range rows = share(p.rows, thread, team);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const T* x = p.x + r * p.x_row;
      T* y = p.y + r * p.y_row;
      const T mean = per_size * row_sum<T>(p.size, [&](int64_t i, int64_t n) { return load(x + i, n); });
      const Vec<T> m = broadcast(mean);
      const T variance = per_size * row_sum<T>(p.size, [&](int64_t i, int64_t n) {
                           const Vec<T> d = psub(load(x + i, n), m);
                           return first<T>(pmul(d, d), n);
                         });
      const T inverse = T(1 / ::sqrt(double(variance) + p.eps));
      const Vec<T> s = broadcast(inverse), one = broadcast(T(1)), zero = broadcast(T(0));
      for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
        const Vec<T> xhat = pmul(psub(load(x + i, n), m), s);
        const Vec<T> w = p.weight == nullptr ? one : load(p.weight + i, n);
        store(y + i, fma(xhat, w, p.bias == nullptr ? zero : load(p.bias + i, n)), n);
      });
      p.mean[r] = mean;
      p.inverse_deviation[r] = inverse;
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
  const T per_size = T(1) / T(p.size);
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
        const Vec<T> mean = broadcast(p.mean[r]), inverse = broadcast(p.inverse_deviation[r]);
        const auto xhat = [&](int64_t i, int64_t n) { return pmul(psub(load(x + i, n), mean), inverse); };
        const auto g = [&](int64_t i, int64_t n) {
          return pmul(load(dy + i, n), p.weight == nullptr ? one : load(p.weight + i, n));
        };
        // y = xhat w + b   =>   dw += dy xhat, db += dy
        if (sums_wanted)
          for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
            const Vec<T> d = load(dy + i, n);
            store(dweight + i, fma(d, xhat(i, n), load(dweight + i, n)), n);
            store(dbias + i, padd(load(dbias + i, n), d), n);
          });
        if (p.dx == nullptr) continue;
        // xhat = (x - mean) r   =>   dx = r (g - mean(g) - xhat mean(g xhat))
        const T mean_g = per_size * row_sum<T>(p.size, [&](int64_t i, int64_t n) { return g(i, n); });
        const T mean_gx =
            per_size * row_sum<T>(p.size, [&](int64_t i, int64_t n) { return pmul(g(i, n), xhat(i, n)); });
        const Vec<T> along_one = broadcast(mean_g), along_x = broadcast(-mean_gx);
        T* dx = p.dx + r * p.dx_row;
        for_each_vector<T>(0, p.size, [&](int64_t i, int64_t n) {
          store(dx + i, pmul(inverse, fma(along_x, xhat(i, n), psub(g(i, n), along_one))), n);
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
