// The small-M product of few rows.
#include "kernels/gemm/small_m_product.hpp"

namespace weft::WEFT_ISA {
namespace {

/// N panels of C for M rows; `columns` <= lanes in the last one. The fewer rows, the more panels: each sum is
/// a chain of additions, and several are interleaved to hide their latency.
template <class T, int M, int N>
__attribute__((noinline)) void small_m_panels(int64_t columns, int64_t depth, const T* a, int64_t a_row,
                                              const T* w, int64_t w_row, Epilogue<T> epilogue, T* c,
                                              int64_t c_row) {
  constexpr int width = lanes<T>;
  const auto columns_of = [&](int n) { return n + 1 < N ? int64_t(width) : columns; };
  Vec<T> sum[N][M];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
      sum[n][m] = epilogue.start == nullptr
                      ? broadcast(T(0))
                      : load(epilogue.start + m * epilogue.row + n * width, columns_of(n));
  const auto add = [&](int n, int64_t k, const Vec<T>& column) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) sum[n][m] = fma(broadcast(a[m * a_row + k]), column, sum[n][m]);
  };
  int64_t k = 0;
  const int64_t whole = columns == width ? depth / width * width : 0;
  for (const T* square = w; k < whole; k += width, square += width) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      for_each_column(square + n * width * w_row, w_row,
                      [&](int i, const Vec<T>& column)
                          __attribute__((always_inline)) { add(n, k + i, column); });
  }
  for (; k < depth; ++k) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      T column[width] = {};
      for (int64_t i = 0; i < columns_of(n); ++i) column[i] = w[(n * width + i) * w_row + k];
      add(n, k, load(column));
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) store(c + m * c_row + n * width, sum[n][m], columns_of(n));
}

template <class T>
using SmallMPanels = void (*)(int64_t, int64_t, const T*, int64_t, const T*, int64_t, Epilogue<T>, T*,
                              int64_t);

/// Panels that are interleaved where A has so many rows; of 16 lanes, one is faster.
template <class T>
constexpr int interleaved_panels(int rows) {
  return rows > 2 || lanes<T> > 8 ? 1 : rows == 1 ? 4 : 2;
}
/// By the number of rows: one panel, and those that are interleaved.
template <class T>
struct SmallMKernels {
  SmallMPanels<T> one[few_rows + 1] = {}, several[few_rows + 1] = {};
  constexpr SmallMKernels() { fill<few_rows>(); }

 private:
  template <int M>
  constexpr void fill() {
    one[M] = &small_m_panels<T, M, 1>;
    several[M] = &small_m_panels<T, M, interleaved_panels<T>(M)>;
    if constexpr (M > 1) fill<M - 1>();
  }
};

/// Whole panels, where rows of W conflict in the cache: copied a few elements of each at a time, so that each
/// line of a row is used up when it comes.
template <class T>
__attribute__((noinline)) void copied_small_m_panels(SmallMPanels<T> panels, int64_t columns, int64_t depth,
                                                     const T* a, int64_t a_row, const T* w, int64_t w_row,
                                                     Epilogue<T> epilogue, T* c, int64_t c_row) {
  constexpr int64_t run = 256, row = run + lanes<T>;
  T copy[interleaved_panels<T>(1) * lanes<T> * row];
  int64_t k = 0;
  do {  // once where depth is zero
    const int64_t count = min_of(depth - k, run);
    for (int64_t i = 0; i < columns; ++i)
      __builtin_memcpy(copy + i * row, w + i * w_row + k, size_t(count) * sizeof(T));
    panels(lanes<T>, count, a + k, a_row, copy, row, epilogue, c, c_row);
    epilogue = {c, c_row};
    k += count;
  } while (k < depth);
}

}  // namespace

template <class T>
void small_m_product(int64_t rows, Range columns, int64_t depth, const T* a, int64_t a_row, const T* w,
                     int64_t w_row, Epilogue<T> epilogue, T* c, int64_t c_row) {
  static constexpr SmallMKernels<T> kernels;
  if (rows == 0) return;
  const int64_t several = interleaved_panels<T>(int(rows)) * lanes<T>;
  const bool conflict = conflicts_in_cache<T>(w_row);
  for (int64_t n = columns.begin; n < columns.end;) {
    const int64_t left = columns.end - n, count = left >= several ? several : min_of(left, lanes<T>);
    const SmallMPanels<T> panels = (count == several ? kernels.several : kernels.one)[rows];
    if (conflict && count >= lanes<T>)
      copied_small_m_panels(panels, count, depth, a, a_row, w + n * w_row, w_row, epilogue.at(0, n), c + n,
                            c_row);
    else
      panels(min_of(count, lanes<T>), depth, a, a_row, w + n * w_row, w_row, epilogue.at(0, n), c + n, c_row);
    n += count;
  }
}

template void small_m_product(int64_t, Range, int64_t, const float*, int64_t, const float*, int64_t,
                              Epilogue<float>, float*, int64_t);
template void small_m_product(int64_t, Range, int64_t, const double*, int64_t, const double*, int64_t,
                              Epilogue<double>, double*, int64_t);

}  // namespace weft::WEFT_ISA
