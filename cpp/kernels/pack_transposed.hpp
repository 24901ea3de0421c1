// pack() for a matrix that lies transposed: B[k, n] at source[n * n_stride + k], such as a weight [outputs,
// inputs] in x W^T. Squares of lanes x lanes elements are transposed in registers.
#pragma once

#include "gemm.hpp"

namespace weft::WEFT_ISA {

/// One panel, of the columns from `source` on; `step` elements from a k to the next.
template <class T>
inline void pack_panel_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns, T* panel,
                                  int64_t step) {
  constexpr int width = lanes<T>;
  int64_t k = 0;
  if (columns >= width) {
    for (; k + width <= depth; k += width) {
      Eigen::internal::PacketBlock<Vec<T>, width> square;
      for (int i = 0; i < width; ++i) square.packet[i] = load(source + i * n_stride + k);
      Eigen::internal::ptranspose(square);
      for (int i = 0; i < width; ++i) store(panel + (k + i) * step, square.packet[i]);
    }
  }
  for (; k < depth; ++k)
    for (int64_t i = 0; i < width; ++i) panel[k * step + i] = i < columns ? source[i * n_stride + k] : T(0);
}

/// As pack(source, 1, n_stride, ...): columns [first, last) into panels, `first` a multiple of `lanes`.
template <class T>
inline void pack_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns, T* packed,
                            int64_t first, int64_t last) {
  for (int64_t n = first; n < last; n += lanes<T>)
    pack_panel_transposed(source + n * n_stride, n_stride, depth, columns - n, packed + n * depth, lanes<T>);
}

}  // namespace weft::WEFT_ISA
