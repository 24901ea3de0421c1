// The packed product: C[m, n] = init[m, n] + sum_k A[m, k] B[k, n], the one that everything else is built on.
//
//   A    M x K, any strides: element (m, k) at data[m * row + k * col]
//   B    K x N, in panels of `lanes` columns:
//        element (k, n) at data[(n / lanes) * panel + k * step + n % lanes]
//   C    M x N, rows of stride `row`
//
// pack() makes panels of step = lanes, panel = K * lanes. A row-major matrix whose rows are padded to whole
// vectors is in panels already: step = its row stride, panel = lanes.
//
// The sum over k runs in order, one fused multiply-add after the other, whatever M, N and the tile: an
// element's bits do not depend on its neighbours, on the batch or on the number of threads. After every
// `depth_block` of k the partial sum goes through C.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct Rows {
  const T* data;
  int64_t row, col;
};

template <class T>
struct Panels {
  const T* data;
  int64_t step, panel;
};

/// What C starts from: nothing (data == nullptr), a row for all (row == 0), or a matrix (C itself to
/// accumulate).
template <class T>
struct Init {
  const T* data = nullptr;
  int64_t row = 0;
};

inline constexpr int64_t depth_block = 512;

/// Rows of C that fit in the registers beside a tile of `panels` vectors.
constexpr int tile_rows(int panels) {
  if (vector_registers == 32) return panels <= 2 ? 14 : panels == 4 ? 6 : panels == 6 ? 4 : 3;
  return panels <= 2 ? 6 : panels == 4 ? 3 : panels == 6 ? 2 : 1;
}

template <class T, int M, int N>
__attribute__((noinline)) void tile(int64_t depth, const T* __restrict a, int64_t a_row, int64_t a_col,
                                    const T* __restrict b, int64_t b_step, int64_t b_panel, const T* init,
                                    int64_t init_row, T* c, int64_t c_row, int64_t last_columns) {
  Vec<T> sum[M][N];
  constexpr int width = lanes<T>;
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      sum[m][n] = init == nullptr ? broadcast(T(0))
                  : n + 1 < N     ? load(init + m * init_row + n * width)
                                  : load(init + m * init_row + n * width, last_columns);
  const auto add = [&]() __attribute__((always_inline)) {
    Vec<T> column[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) column[n] = load(b + n * b_panel);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const Vec<T> value = broadcast(a[m * a_row]);
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[m][n] = fma(value, column[n], sum[m][n]);
    }
    a += a_col;
    b += b_step;
  };
  int64_t k = 0;
  if constexpr (M == 1 && N <= 4)  // else half of the instructions would be the loop's own
    for (; k + 4 <= depth; k += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) add();
    }
  for (; k < depth; ++k) add();
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      if (n + 1 < N)
        store(c + m * c_row + n * width, sum[m][n]);
      else
        store(c + m * c_row + n * width, sum[m][n], last_columns);
    }
}

template <class T>
using Tile = void (*)(int64_t, const T*, int64_t, int64_t, const T*, int64_t, int64_t, const T*, int64_t, T*,
                      int64_t, int64_t);

/// All tiles of N panels, by their number of rows.
template <class T, int N>
struct Tiles {
  Tile<T> rows[tile_rows(N) + 1] = {};
  constexpr Tiles() { fill<tile_rows(N)>(); }

 private:
  template <int M>
  constexpr void fill() {
    rows[M] = &tile<T, M, N>;
    if constexpr (M > 1) fill<M - 1>();
  }
};
template <class T, int N>
inline constexpr Tiles<T, N> tiles{};

/// The tile of one row by that many panels; null where it takes several.
template <class T>
inline Tile<T> tile_of_one_row(int64_t panels) {
  switch (panels) {
    case 1:
      return tiles<T, 1>.rows[1];
    case 2:
      return tiles<T, 2>.rows[1];
    case 4:
      return tiles<T, 4>.rows[1];
    case 6:
      return tiles<T, 6>.rows[1];
    case 8:
      return tiles<T, 8>.rows[1];
    default:
      return nullptr;
  }
}

/// One group of N panels against all rows of A, in tiles of nearly equal height.
template <class T, int N>
inline void product_of_panels(int64_t rows, int64_t depth, Rows<T> a, Panels<T> b, Init<T> init, T* c,
                              int64_t c_row, int64_t last_columns) {
  if (rows <= tile_rows(N))
    return tiles<T, N>.rows[rows](depth, a.data, a.row, a.col, b.data, b.step, b.panel, init.data, init.row,
                                  c, c_row, last_columns);
  const int64_t count = (rows + tile_rows(N) - 1) / tile_rows(N);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = rows * i / count, end = rows * (i + 1) / count;
    const T* start = init.data == nullptr ? nullptr : init.data + begin * init.row;
    tiles<T, N>.rows[end - begin](depth, a.data + begin * a.row, a.row, a.col, b.data, b.step, b.panel, start,
                                  init.row, c + begin * c_row, c_row, last_columns);
  }
}

/// C = init + A B for `rows` x `columns` elements of C. Columns of B's last panel past `columns` are never
/// stored.
template <class T>
inline void gemm(int64_t rows, int64_t columns, int64_t depth, Rows<T> a, Panels<T> b, Init<T> init, T* c,
                 int64_t c_row) {
  constexpr int width = lanes<T>;
  if (rows == 0) return;
  const int64_t panels = (columns + width - 1) / width;
  int64_t k = 0;
  do {  // once where depth is zero: C still gets its initial value
    const int64_t block = min_of(depth - k, depth_block);
    for (int64_t p = 0; p < panels;) {
      const int64_t left = panels - p;
      const int n = rows <= tile_rows(8) && left >= 8   ? 8
                    : rows <= tile_rows(6) && left >= 6 ? 6
                    : rows <= tile_rows(4) && left >= 4 ? 4
                    : left >= 2                         ? 2
                                                        : 1;
      const int64_t last = p + n == panels ? columns - (panels - 1) * width : width;
      const Panels<T> group{b.data + p * b.panel + k * b.step, b.step, b.panel};
      const Rows<T> operand{a.data + k * a.col, a.row, a.col};
      const Init<T> start{init.data == nullptr ? nullptr : init.data + p * width, init.row};
      T* out = c + p * width;
      if (n == 8)
        product_of_panels<T, 8>(rows, block, operand, group, start, out, c_row, last);
      else if (n == 6)
        product_of_panels<T, 6>(rows, block, operand, group, start, out, c_row, last);
      else if (n == 4)
        product_of_panels<T, 4>(rows, block, operand, group, start, out, c_row, last);
      else if (n == 2)
        product_of_panels<T, 2>(rows, block, operand, group, start, out, c_row, last);
      else
        product_of_panels<T, 1>(rows, block, operand, group, start, out, c_row, last);
      p += n;
    }
    k += block;
    init = {c, c_row};
  } while (k < depth);
}

/// Elements that pack() writes for a K x N matrix.
template <class T>
constexpr int64_t packed_size(int64_t depth, int64_t columns) {
  return depth * round_up(columns, lanes<T>);
}

/// Packs columns [first, last) of B, where (k, n) lies at source[k * k_stride + n * n_stride], into panels
/// that lie `panel` elements apart; `first` is a multiple of `lanes`. Columns from `columns` on are zero.
template <class T>
inline void pack(const T* source, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns,
                 T* packed, int64_t panel, int64_t first, int64_t last) {
  constexpr int width = lanes<T>;
  for (int64_t n = first; n < last; n += width) {
    T* out = packed + n / width * panel;
    const T* corner = source + n * n_stride;
    const int64_t valid = max_of(0, min_of(columns - n, width));
    if (valid == width && n_stride == 1) {
      for (int64_t k = 0; k < depth; ++k) store(out + k * width, load(corner + k * k_stride));
    } else if (valid == width) {
      for (int64_t k = 0; k < depth; ++k)
        for (int64_t i = 0; i < width; ++i) out[k * width + i] = corner[k * k_stride + i * n_stride];
    } else {
      for (int64_t k = 0; k < depth; ++k)
        for (int64_t i = 0; i < width; ++i)
          out[k * width + i] = i < valid ? corner[k * k_stride + i * n_stride] : T(0);
    }
  }
}
/// The same for a matrix that is packed whole, panel after panel.
template <class T>
inline void pack(const T* source, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns,
                 T* packed, int64_t first, int64_t last) {
  pack(source, k_stride, n_stride, depth, columns, packed, depth * lanes<T>, first, last);
}
template <class T>
inline Panels<T> panels(const T* packed, int64_t depth) {
  return {packed, lanes<T>, depth * lanes<T>};
}

}  // namespace weft::WEFT_ISA
