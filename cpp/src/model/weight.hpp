// The tensors of a model's file.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/model/aligned.hpp"
#include "weft/view.hpp"

namespace weft {

/// A tensor of the file. Nodes that name the same one share it.
template <class T>
struct Array {
  std::vector<int64_t> shape;
  AlignedArray<T> data;
};
template <class T>
using Weight = std::shared_ptr<const Array<T>>;  // null where it is optional and absent

/// Null for an absent weight.
template <class T>
const T* data_of(const Weight<T>& weight) {
  return weight ? weight->data.get() : nullptr;
}
template <int N, class T>
View<const T, N> view_of(const Weight<T>& weight) {
  if (!weight) return {};
  Axes<N> shape;
  for (int axis = 0; axis < N; ++axis) shape[axis] = weight->shape[size_t(axis)];
  return {weight->data.get(), shape};
}

/// Of a matrix; 0 where it is none, which is refused later, by its name.
template <class T>
int64_t columns(const Weight<T>& weight) {
  const std::vector<int64_t>& shape = weight->shape;
  return shape.size() == 2 && shape[0] > 0 ? shape[1] : 0;
}

}  // namespace weft
