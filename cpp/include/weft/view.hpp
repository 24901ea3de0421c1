// A view of an array that someone else owns: pointer, shape, strides in elements. The last axis is
// contiguous.
#pragma once

#include <array>
#include <cstdint>

#include "weft/export.h"

namespace weft {

template <class T, int N>
struct View {
  T* data = nullptr;
  std::array<int64_t, N> shape{};
  std::array<int64_t, N> stride{};

  View() = default;
  View(T* data_, std::array<int64_t, N> shape_, std::array<int64_t, N> stride_)
      : data(data_), shape(shape_), stride(stride_) {}
  /// A C-contiguous array of that shape.
  View(T* data_, std::array<int64_t, N> shape_) : data(data_), shape(shape_) {
    uint64_t step = 1;  // sizes beyond all memory wrap here and are refused by whoever takes the view
    for (int axis = N - 1; axis >= 0; --axis) {
      stride[axis] = static_cast<int64_t>(step);
      step *= static_cast<uint64_t>(shape[axis]);
    }
  }
  /// Read-only view of a writable one.
  operator View<const T, N>() const { return {data, shape, stride}; }
  /// False where an optional array was left out.
  explicit operator bool() const { return data != nullptr; }
};

}  // namespace weft
