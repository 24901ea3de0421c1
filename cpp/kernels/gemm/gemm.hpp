// The packed product, the one that everything else is built on:
//
//   C[m, n] = start[m, n] + sum_k A[m, k] B[k, n]
//
//   A    M x K, any strides: element (m, k) at data[m * row + k * col]
//   B    packed in panels of `lanes` columns (packed_matrix.hpp)
//   C    M x N, rows of stride `row`
//
// The sum over k runs in order, one fused multiply-add after the other, whatever M, N and the tile: an
// element's bits do not depend on its neighbours, on the batch or on the number of threads. After every
// `depth_block` of k the partial sum goes through C.
#pragma once

#include "kernels/gemm/packed_matrix.hpp"

namespace weft::WEFT_ISA {

inline constexpr int64_t depth_block = tuning.depth_block;

template <class T>
struct Rows {
  const T* data;
  int64_t row, col;
};

/// What a product does to C besides the sum: C starts from nothing (start == nullptr), from one row for all
/// (row == 0), such as a bias, or from a matrix (C itself to accumulate).
template <class T>
struct Epilogue {
  const T* start = nullptr;
  int64_t row = 0;

  /// That of the part of C from element (m, n) on.
  Epilogue at(int64_t m, int64_t n) const { return {start == nullptr ? nullptr : start + m * row + n, row}; }
};

/// Rows of C that fit in the registers beside a tile of `panels` vectors.
constexpr int tile_rows(int panels) {
  const Tuning::TileRows& rows = tuning.tile_rows;
  return panels <= 2 ? rows.two : panels == 4 ? rows.four : panels == 6 ? rows.six : rows.eight;
}

/// M rows by N panels of C; `last_columns` <= lanes of the last one. Operands go by reference: passed by value,
/// they would be copied to the stack in vectors right after they were written in scalars, which no store can
/// forward.
template <class T, class Weight, int M, int N>
__attribute__((noinline)) void tile(int64_t depth, const Rows<T>& left, const Panels<Weight>& right,
                                    const Epilogue<T>& epilogue, T* c, int64_t c_row, int64_t last_columns) {
  Vec<T> sum[M][N];
  constexpr int width = lanes<T>;
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      sum[m][n] = epilogue.start == nullptr ? broadcast(T(0))
                  : n + 1 < N ? load(epilogue.start + m * epilogue.row + n * width)
                              : load(epilogue.start + m * epilogue.row + n * width, last_columns);
  const T* a = left.data;
  const Weight* b = right.data;
  const auto add = [&]() __attribute__((always_inline)) {
    Vec<T> column[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) column[n] = load_weight<T>(b + n * right.panel);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const Vec<T> value = broadcast(a[m * left.row]);
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[m][n] = fma(value, column[n], sum[m][n]);
    }
    a += left.col;
    b += right.step;
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

template <class T, class Weight = T>
using Tile = void (*)(int64_t, const Rows<T>&, const Panels<Weight>&, const Epilogue<T>&, T*, int64_t,
                      int64_t);

/// The tiles by their number of panels and of rows; null where there is none.
template <class T, class Weight>
struct Tiles {
  Tile<T, Weight> of[9][tile_rows(1) + 1] = {};
  constexpr Tiles() { fill<1>(), fill<2>(), fill<4>(), fill<6>(), fill<8>(); }

 private:
  template <int N, int M = tile_rows(N)>
  constexpr void fill() {
    of[N][M] = &tile<T, Weight, M, N>;
    if constexpr (M > 1) fill<N, M - 1>();
  }
};
template <class T, class Weight = T>
constinit const Tiles<T, Weight> tiles{};

/// The tile of one row by that many panels; null where it takes several.
template <class T>
inline Tile<T> tile_of_one_row(int64_t panels) {
  return panels <= 8 ? tiles<T>.of[panels][1] : nullptr;
}

/// C = init + A B for `rows` x `columns` elements of C. Columns of B's last panel past `columns` are never
/// stored.
template <class T, class Weight = T>
void gemm(int64_t rows, int64_t columns, int64_t depth, const Rows<T>& a, const Panels<Weight>& b,
          const Epilogue<T>& epilogue, T* c, int64_t c_row) {
  constexpr int width = lanes<T>;
  if (rows == 0) return;
  Epilogue<T> from = epilogue;
  const int64_t panels = (columns + width - 1) / width;
  int64_t k = 0;
  do {  // once where depth is zero: C still gets what it starts from
    const int64_t block = min_of(depth - k, depth_block);
    const Rows<T> all{a.data + k * a.col, a.row, a.col};
    for (int64_t p = 0; p < panels;) {
      const int64_t left = panels - p;
      const int n = rows <= tile_rows(8) && left >= 8   ? 8
                    : rows <= tile_rows(6) && left >= 6 ? 6
                    : rows <= tile_rows(4) && left >= 4 ? 4
                    : left >= 2                         ? 2
                                                        : 1;
      const int64_t last = p + n == panels ? columns - (panels - 1) * width : width;
      const Panels<Weight> right{b.data + p * b.panel + k * b.step, b.step, b.panel};
      T* const out = c + p * width;
      const auto run = [&](const Rows<T>& some, int64_t begin, int64_t count) {
        tiles<T, Weight>.of[n][count](block, some, right, from.at(begin, p * width), out + begin * c_row,
                                      c_row, last);
      };
      if (n > 2 || rows <= tile_rows(2)) {
        run(all, 0, rows);
      } else {  // tiles of nearly equal height
        const int64_t count = (rows + tile_rows(2) - 1) / tile_rows(2);
        for (int64_t i = 1, begin = 0, end; i <= count; ++i, begin = end) {
          end = rows * i / count;
          run({all.data + begin * a.row, a.row, a.col}, begin, end - begin);
        }
      }
      p += n;
    }
    k += block;
    from = {c, c_row};
  } while (k < depth);
}

// Compiled once, in gemm.cpp.
extern template const Tiles<float, float> tiles<float>;
extern template const Tiles<double, double> tiles<double>;
extern template void gemm(int64_t, int64_t, int64_t, const Rows<float>&, const Panels<float>&,
                          const Epilogue<float>&, float*, int64_t);
extern template void gemm(int64_t, int64_t, int64_t, const Rows<double>&, const Panels<double>&,
                          const Epilogue<double>&, double*, int64_t);

}  // namespace weft::WEFT_ISA
