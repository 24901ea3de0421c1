// One piece of memory cut into arrays.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

/// Hands out aligned pieces of the caller's memory; with no memory it only counts.
class Arena {
 public:
  explicit Arena(void* base) : base_(static_cast<char*>(base)) {}
  template <class T>
  T* take(int64_t count) {
    char* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (size_t(count) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }
  size_t used() const { return used_; }

 private:
  char* base_;
  size_t used_ = 0;
};

/// Elements from one row of a buffer to the next: whole cache lines, and not a multiple of 512 bytes, which
/// would cause cache-set conflicts between rows in the first-level cache.
template <class T>
constexpr int64_t row_stride(int64_t elements) {
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t lines = (elements + line - 1) / line;
  return (lines % 8 == 0 ? lines + 1 : lines) * line;
}

}  // namespace weft::WEFT_ISA
