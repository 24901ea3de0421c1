// pack() for a matrix that lies transposed: B[k, n] at source[n * n_stride + k], such as a weight [outputs,
// inputs] in x W^T. Squares of lanes x lanes elements are transposed in registers.
#pragma once

#include "gemm.hpp"

namespace weft::WEFT_ISA {

/// As pack(source, 1, n_stride, ...): columns [first, last) into panels, `first` a multiple of `lanes`.
template <class T>
inline void pack_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns, T* packed,
                            int64_t first, int64_t last) {
  constexpr int width = lanes<T>;
  for (int64_t n = first; n < last; n += width) {
    const T* corner = source + n * n_stride;
    T* panel = packed + n * depth;
    int64_t k = 0;
    if (columns - n >= width) {
      for (; k + width <= depth; k += width) {
        Eigen::internal::PacketBlock<Vec<T>, width> square;
        for (int i = 0; i < width; ++i) square.packet[i] = load(corner + i * n_stride + k);
        Eigen::internal::ptranspose(square);
        for (int i = 0; i < width; ++i) store(panel + (k + i) * width, square.packet[i]);
      }
    }
    const int64_t valid = min_of(columns - n, width);
    for (; k < depth; ++k)
      for (int64_t i = 0; i < width; ++i) panel[k * width + i] = i < valid ? corner[i * n_stride + k] : T(0);
  }
}

}  // namespace weft::WEFT_ISA
