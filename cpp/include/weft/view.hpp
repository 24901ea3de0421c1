// A view of an array that someone else owns: pointer, shape, strides in elements. The last axis is
// contiguous.
//
// Kernels take views too, and are compiled for wider instructions than their caller may have. So nothing here
// uses the standard library, and every function is inlined: none may be shared between the two.
#pragma once

#include <cstdint>

#include "weft/export.h"

namespace weft {

/// A number for each axis.
template <int N>
struct Axes {
  int64_t at[N];

  WEFT_INLINE constexpr int64_t& operator[](int axis) { return at[axis]; }
  WEFT_INLINE constexpr int64_t operator[](int axis) const { return at[axis]; }
  WEFT_INLINE constexpr const int64_t* begin() const { return at; }
  WEFT_INLINE constexpr const int64_t* end() const { return at + N; }
  WEFT_INLINE constexpr bool operator==(const Axes& other) const {
    bool same = true;
    for (int axis = 0; axis < N; ++axis) same = same && at[axis] == other.at[axis];
    return same;
  }
};

template <class T, int N>
struct View {
  T* data = nullptr;
  Axes<N> shape{};
  Axes<N> stride{};

  View() = default;
  WEFT_INLINE constexpr View(T* data_, const Axes<N>& shape_, const Axes<N>& stride_)
      : data(data_), shape(shape_), stride(stride_) {}
  /// A C-contiguous array of that shape.
  WEFT_INLINE constexpr View(T* data_, const Axes<N>& shape_) : data(data_), shape(shape_) {
    uint64_t step = 1;  // sizes beyond all memory wrap here and are refused by whoever takes the view
    for (int axis = N - 1; axis >= 0; --axis) {
      stride[axis] = static_cast<int64_t>(step);
      step *= static_cast<uint64_t>(shape[axis]);
    }
  }
  /// Read-only view of a writable one.
  WEFT_INLINE constexpr operator View<const T, N>() const { return {data, shape, stride}; }
  /// False if the view is empty: an optional array that was left out.
  WEFT_INLINE constexpr explicit operator bool() const { return data != nullptr; }
};

}  // namespace weft
