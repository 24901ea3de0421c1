// The arrays that a call gives back.
#pragma once

#include "arrays.hpp"
#include "memory.hpp"

namespace weft::bindings {

/// A new C-contiguous array of that shape, contents undefined. Large ones lie in recycled memory, which goes
/// back when the array dies.
template <class T>
py::array new_array(const int64_t* shape, int axes) {
  constexpr uint64_t large = 1 << 16;
  uint64_t bytes = sizeof(T);
  bool fits = true;
  for (int axis = 0; axis < axes; ++axis) fits = fits && !__builtin_mul_overflow(bytes, shape[axis], &bytes);
  py::capsule owner;
  void* data = nullptr;
  if (fits && bytes >= large) {  // what does not fit is refused by NumPy, in its words
    Memory memory = acquire(bytes);
    owner = py::capsule(memory.get(), [](void* piece) { Recycle()(piece); });
    data = memory.release();
  }
  // NumPy's own function: py::array would copy shape and strides to the heap, several times what this takes.
  static_assert(sizeof(py::ssize_t) == sizeof(int64_t));
  const auto& numpy = py::detail::npy_api::get();
  auto array = py::reinterpret_steal<py::array>(
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, py::dtype::of<T>().release().ptr(), axes,
                                  reinterpret_cast<const Py_intptr_t*>(shape), nullptr, data,
                                  data != nullptr ? py::detail::npy_api::NPY_ARRAY_WRITEABLE_ : 0, nullptr));
  if (!array) throw py::error_already_set();
  if (data != nullptr && numpy.PyArray_SetBaseObject_(array.ptr(), owner.release().ptr()) != 0)
    throw py::error_already_set();
  return array;
}

/// The same with its view.
template <class T, int N>
struct NewArray {
  py::array array;
  View<T, N> view;

  explicit NewArray(Axes<N> shape)
      : array(new_array<T>(shape.at, N)), view(static_cast<T*>(array.mutable_data()), shape) {}
};

}  // namespace weft::bindings
