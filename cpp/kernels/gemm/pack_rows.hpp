// pack() for a matrix that lies as it is read: B[k, n] at source[k * k_stride + n], such as the rows of a
// batch x in dy^T x. A few rows at a time, so that it stays on few pages where rows are long.
#pragma once

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

/// As pack(source, k_stride, 1, ...): columns [first, last) into panels, `first` a multiple of `lanes`.
template <class T>
inline void pack_rows(const T* source, int64_t k_stride, int64_t depth, int64_t columns, T* packed,
                      int64_t first, int64_t last) {
  constexpr int64_t block = 32;
  for (int64_t k = 0; k < depth; k += block)
    pack(source + k * k_stride, k_stride, 1, min_of(block, depth - k), columns, packed + k * lanes<T>,
         depth * lanes<T>, first, last);
}

}  // namespace weft::WEFT_ISA
