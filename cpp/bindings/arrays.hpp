// NumPy arrays to views. A TypeError names operation, argument, expected and actual dtype.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "weft/view.hpp"

namespace weft::bindings {

namespace py = pybind11;

/// `object` as an array of T with N axes whose last axis is contiguous; a copy only where that axis is
/// strided. The array is written to `keep`, which must outlive the view. None gives an empty view.
template <class T, int N>
View<const T, N> input(const char* operation, const char* argument, const py::object& object,
                       py::array& keep) {
  if (object.is_none()) return {};
  if (!py::isinstance<py::array>(object))
    throw py::type_error(std::string(operation) + ": " + argument + " must be a NumPy array, got " +
                         std::string(py::str(py::type::of(object).attr("__name__"))));
  keep = py::reinterpret_borrow<py::array>(object);
  if (!py::isinstance<py::array_t<T>>(keep))
    throw py::type_error(std::string(operation) + ": " + argument + " must have dtype " +
                         std::string(py::str(py::dtype::of<T>())) + ", got " +
                         std::string(py::str(keep.dtype())));
  if (keep.ndim() != N)
    throw py::value_error(std::string(operation) + ": " + argument + " must have " + std::to_string(N) +
                          (N == 1 ? " axis" : " axes") + ", got shape " +
                          std::string(py::str(keep.attr("shape"))));
  bool usable = keep.shape(N - 1) <= 1 || keep.strides(N - 1) == static_cast<py::ssize_t>(sizeof(T));
  for (int axis = 0; axis < N; ++axis) usable = usable && keep.strides(axis) % py::ssize_t(sizeof(T)) == 0;
  usable = usable && reinterpret_cast<std::uintptr_t>(keep.data()) % alignof(T) == 0;
  if (!usable) keep = py::array_t<T, py::array::c_style | py::array::forcecast>(keep);
  View<const T, N> view;
  // An empty array is not a missing one: its pointer is never read, but it must not be null.
  static const T nothing{};
  view.data = keep.data() != nullptr ? static_cast<const T*>(keep.data()) : &nothing;
  for (int axis = 0; axis < N; ++axis) {
    view.shape[axis] = keep.shape(axis);
    view.stride[axis] = keep.strides(axis) / py::ssize_t(sizeof(T));
  }
  return view;
}

/// The same for an array that is written: it must already be what the kernel needs, since a copy would lose
/// the result.
template <class T, int N>
View<T, N> output(const char* operation, const char* argument, py::array& array) {
  py::array keep;
  const auto view = input<T, N>(operation, argument, array, keep);
  if (keep.ptr() != array.ptr() || !array.writeable())
    throw py::value_error(std::string(operation) + ": " + argument +
                          " must be a writeable array whose last axis is contiguous");
  return {const_cast<T*>(view.data), view.shape, view.stride};
}

/// dispatch(T{}) for float32 or float64, the dtype of `array`.
template <class F>
auto by_dtype(const char* operation, const char* argument, const py::object& array, F dispatch) {
  if (py::isinstance<py::array_t<float>>(array)) return dispatch(float{});
  if (py::isinstance<py::array_t<double>>(array)) return dispatch(double{});
  const std::string actual = py::isinstance<py::array>(array)
                                 ? std::string(py::str(array.attr("dtype")))
                                 : std::string(py::str(py::type::of(array).attr("__name__")));
  throw py::type_error(std::string(operation) + ": " + argument +
                       " must be a float32 or float64 array, got " + actual);
}

}  // namespace weft::bindings
