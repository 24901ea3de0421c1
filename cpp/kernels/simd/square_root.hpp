// The exact square root of each lane. Eigen's is an estimate with one Newton step, and zero for subnormal
// numbers.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

template <class T>
inline Vec<T> square_root(const Vec<T>& v) {
  T x[lanes<T>];
  store(x, v);
  for (int i = 0; i < lanes<T>; ++i) {  // one instruction, for the compiler
    if constexpr (sizeof(T) == sizeof(float))
      x[i] = __builtin_sqrtf(x[i]);
    else
      x[i] = __builtin_sqrt(x[i]);
  }
  return load(x);
}

}  // namespace weft::WEFT_ISA
