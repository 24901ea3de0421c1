// Parts of rows: copies of them, and how a part is walked in blocks.
#pragma once

#include "kernels/threads/parallel.hpp"
#include "weft/view.hpp"

namespace weft::WEFT_ISA {

template <class T>
inline void copy_row(T* to, const T* from, Range range) {
  int64_t i = range.begin;
  for (; i + lanes<T> <= range.end; i += lanes<T>) store(to + i, load(from + i));
  for (; i < range.end; ++i) to[i] = from[i];
}
template <class T>
inline void copy_row(T* to, const T* from, int64_t n) {
  copy_row(to, from, Range{0, n});
}
template <class T>
inline void zero_row(T* to, Range range) {
  for (int64_t i = range.begin; i < range.end; ++i) to[i] = T(0);
}
/// Of a row of n elements, zeros beyond it; all zeros where `from` is null.
template <class T>
inline void copy_or_zero(T* to, const T* from, Range range, int64_t n) {
  const Range valid{range.begin, from ? max_of(range.begin, min_of(range.end, n)) : range.begin};
  if (from) copy_row(to, from, valid);
  zero_row(to, {valid.end, range.end});
}

/// Null where there is no such array.
template <class X>
inline X* row_of(const View<X, 2>& array, int64_t row) {
  return array.data ? array.data + row * array.stride[0] : nullptr;
}

/// A range in blocks of `size`, aligned to multiples of it.
struct Blocks {
  Range range;
  int64_t size, first, count;

  Blocks(Range r, int64_t of)
      : range(r), size(of), first(r.begin / of), count((r.end + of - 1) / of - r.begin / of) {}

  /// body(first, count) for each, in an order that turns at every step.
  template <class Body>
  void each(int64_t step, const Body& body) const {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = (first + (step % 2 == 0 ? i : count - 1 - i)) * size;
      const Range part{max_of(begin, range.begin), min_of(begin + size, range.end)};
      body(part.begin, part.end - part.begin);
    }
  }
};

}  // namespace weft::WEFT_ISA
