// NumPy arrays to views. A TypeError names operation, argument, expected and actual dtype.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "weft/view.hpp"

namespace weft::bindings {

namespace py = pybind11;

/// "lstm_forward: w_hh": how an error begins.
inline std::string place(const char* operation, const char* argument) {
  return std::string(operation) + ": " + argument;
}
inline std::string type_name(const py::handle& object) {
  return std::string(py::str(py::type::of(object).attr("__name__")));
}

/// Is it an array of T in native byte order? Nearly always its descriptor's number says so. (No descriptor is kept
/// for that in a static variable: whoever makes one lets go of Python's lock, while others wait at its guard.)
template <class T>
bool is_array_of(const py::handle& object) {
  if (!py::isinstance<py::array>(object)) return false;
  const auto* type = py::detail::array_descriptor_proxy(py::detail::array_proxy(object.ptr())->descr);
  return (type->type_num == py::dtype::num_of<T>() && type->byteorder != '>') ||
         py::isinstance<py::array_t<T>>(object);
}

/// `object` as an array of T with N axes whose last axis is contiguous; a copy only where that axis is
/// strided. The array is written to `keep`, which must outlive the view. None gives an empty view.
template <class T, int N>
View<const T, N> input(const char* operation, const char* argument, const py::object& object,
                       py::object& keep) {
  if (object.is_none()) return {};
  if (!is_array_of<T>(object)) {
    if (!py::isinstance<py::array>(object))
      throw py::type_error(place(operation, argument) + " must be a NumPy array, got " + type_name(object));
    throw py::type_error(place(operation, argument) + " must have dtype " +
                         std::string(py::str(py::dtype::of<T>())) + ", got " +
                         std::string(py::str(object.attr("dtype"))));
  }
  auto array = py::reinterpret_borrow<py::array>(object);
  if (array.ndim() != N)
    throw py::value_error(place(operation, argument) + " must have " + std::to_string(N) +
                          (N == 1 ? " axis" : " axes") + ", got shape " +
                          std::string(py::str(array.attr("shape"))));
  const py::ssize_t *shape = array.shape(), *strides = array.strides();
  bool usable = shape[N - 1] <= 1 || strides[N - 1] == static_cast<py::ssize_t>(sizeof(T));
  for (int axis = 0; axis < N; ++axis) usable = usable && strides[axis] % py::ssize_t(sizeof(T)) == 0;
  usable = usable && reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
  if (!usable) {
    array = py::array_t<T, py::array::c_style | py::array::forcecast>(array);
    shape = array.shape();
    strides = array.strides();
  }
  View<const T, N> view;
  // An empty array is not a missing one: its pointer is never read, but it must not be null.
  static const T nothing{};
  view.data = array.data() != nullptr ? static_cast<const T*>(array.data()) : &nothing;
  for (int axis = 0; axis < N; ++axis) {
    view.shape[axis] = shape[axis];
    view.stride[axis] = strides[axis] / py::ssize_t(sizeof(T));
  }
  keep = std::move(array);
  return view;
}

/// The same for an array that is written: it must already be what the kernel needs, since a copy would lose
/// the result. None gives an empty view.
template <class T, int N>
View<T, N> output(const char* operation, const char* argument, const py::object& object) {
  py::object keep;
  const auto view = input<T, N>(operation, argument, object, keep);
  if (!view) return {};
  if (keep.ptr() != object.ptr() || !py::reinterpret_borrow<py::array>(object).writeable())
    throw py::value_error(place(operation, argument) +
                          " must be a writeable array whose last axis is contiguous");
  return {const_cast<T*>(view.data), view.shape, view.stride};
}

/// dispatch(T{}) for float32 or float64, the dtype of `array`.
template <class F>
auto by_dtype(const char* operation, const char* argument, const py::object& array, F dispatch) {
  if (is_array_of<float>(array)) return dispatch(float{});
  if (is_array_of<double>(array)) return dispatch(double{});
  const std::string actual =
      py::isinstance<py::array>(array) ? std::string(py::str(array.attr("dtype"))) : type_name(array);
  throw py::type_error(place(operation, argument) + " must be a float32 or float64 array, got " + actual);
}

}  // namespace weft::bindings
