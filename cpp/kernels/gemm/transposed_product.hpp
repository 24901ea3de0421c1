// The packed product whose left operand lies transposed, as deltas do in a weight gradient:
//
//   C[m, n] += sum_k A[k, m] B[k, n]          and, on request, sums[m] += sum_k A[k, m]
//
//   A   [K, M] rows of stride a_row       B   panels, as in gemm.hpp       C   [M, N] rows of stride c_row
//
// Read in place, A would touch a new page for every k. So a few tiles of it are packed at a time, and meet
// all panels of B while they are in the second-level cache.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

template <class T>
class TransposedProduct {
 public:
  /// Columns of A in a tile, and the most that are packed at once.
  static constexpr int64_t height = tile_rows(2), group = tuning.gradient_tiles * height;
  /// Values of k that are packed at once: two panels of B as deep fit in the first-level cache.
  static constexpr int64_t depth = tuning.gradient_depth;

  /// Elements of scratch.
  static constexpr int64_t workspace = group * depth + lanes<T>;

  /// Packs columns [0, few) of A, `count` values of k, at most `depth`: element (k, m) of a tile lies at
  /// k * height + m.
  TransposedProduct(T* scratch, const T* a, int64_t a_row, int64_t few, int64_t count)
      : packed_(scratch), few_(few), count_(count) {
    const int64_t whole = few / height * height;
    for (int64_t k = 0; k < count; ++k)            // a row at a time: neighbouring tiles share cache lines
      for (int64_t m = 0; m < whole; m += height)  // a fixed size: inlined
        __builtin_memcpy(scratch + m * count + k * height, a + k * a_row + m, sizeof(T) * height);
    if (whole == few) return;
    T* last = scratch + whole * count;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t m = 0; m < height; ++m)
        last[k * height + m] = m < few - whole ? a[k * a_row + whole + m] : T(0);
  }

  void add_sums(T* sums) const {
    for (int64_t m = 0; m < few_; m += height)
      add_sums(packed_ + m * count_, min_of(height, few_ - m), sums + m);
  }

  void add(const Panels<T>& b, int64_t columns, T* c, int64_t c_row) const {
    constexpr int64_t pair = 2 * lanes<T>;
    for (int64_t n = 0; n < columns; n += pair) {
      const int64_t wide = min_of(pair, columns - n);
      const bool two = wide > lanes<T>;
      const Panels<T> right{b.data + n / lanes<T> * b.panel, b.step, b.panel};
      for (int64_t m = 0; m < few_; m += height) {
        T* out = c + m * c_row + n;
        tiles<T>.of[two ? 2 : 1][min_of(height, few_ - m)](count_, {packed_ + m * count_, 1, height}, right,
                                                           {out, c_row}, out, c_row,
                                                           two ? wide - lanes<T> : wide);
      }
    }
  }

 private:
  void add_sums(const T* tile, int64_t tall, T* sums) const {
    constexpr int vectors = (height + lanes<T> - 1) / lanes<T>;  // what lies past `tall` is added for nothing
    T padded[vectors * lanes<T>] = {};
    for (int64_t m = 0; m < tall; ++m) padded[m] = sums[m];
    Vec<T> sum[vectors];
    for (int v = 0; v < vectors; ++v) sum[v] = load(padded + v * lanes<T>);
    for (int64_t k = 0; k < count_; ++k)
      for (int v = 0; v < vectors; ++v) sum[v] = sum[v] + load(tile + k * height + v * lanes<T>);
    for (int v = 0; v < vectors; ++v) store(padded + v * lanes<T>, sum[v]);
    for (int64_t m = 0; m < tall; ++m) sums[m] = padded[m];
  }

  T* packed_;
  int64_t few_, count_;
};

}  // namespace weft::WEFT_ISA
