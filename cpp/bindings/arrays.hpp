// NumPy arrays to views. A TypeError names operation, argument, expected and actual dtype.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

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

/// Throws for a masked array: a kernel sees the numbers alone, those beneath the mask too.
inline void refuse_masked(const char* operation, const char* argument, const py::handle& object) {
  const bool is_plain = reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())) ==
                        reinterpret_cast<PyObject*>(py::detail::npy_api::get().PyArray_Type_);
  if (is_plain || !py::isinstance<py::array>(object)) return;
  if (py::isinstance(object, py::module_::import("numpy.ma").attr("MaskedArray")))
    throw py::type_error(place(operation, argument) +
                         " must be a plain array, got a masked array, whose mask would be lost: give "
                         "array.filled(0), and say by weights, lengths or a mask what counts");
}

/// Is it an array of T in native byte order? Nearly always its descriptor's number says so. (No descriptor is
/// kept for that in a static variable: whoever makes one lets go of Python's lock, while others wait at its
/// guard.)
template <class T>
bool is_array_of(const py::handle& object) {
  if (!py::isinstance<py::array>(object)) return false;
  const auto* type = py::detail::array_descriptor_proxy(py::detail::array_proxy(object.ptr())->descr);
  return (type->type_num == py::dtype::num_of<T>() && type->byteorder != '>') ||
         py::isinstance<py::array_t<T>>(object);
}

/// Do elements of T lie where a T may lie, and a whole number of them apart?
template <class T>
bool is_aligned(const py::array& array) {
  bool aligned = reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
    aligned = aligned && (array.shape(axis) <= 1 || array.strides(axis) % py::ssize_t(sizeof(T)) == 0);
  return aligned;
}

/// In C order, and aligned: pybind11's array_t alone would take an array that is in order where it is not.
template <class T>
py::array aligned_copy(const py::array& array) {
  constexpr int flags = py::array::c_style | py::array::forcecast | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  return py::array_t<T, flags>(array);
}

/// Is no element of it also another? False too for some arrays that nobody has, whose axes interlock.
inline bool has_distinct_elements(const py::array& array) {
  if (array.size() == 0) return true;
  std::vector<std::pair<py::ssize_t, py::ssize_t>> axes;  // stride in bytes, size
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
    if (array.shape(axis) > 1) axes.emplace_back(std::abs(array.strides(axis)), array.shape(axis));
  std::sort(axes.begin(), axes.end());
  py::ssize_t extent = array.itemsize();  // of what the axes so far span
  for (const auto& [stride, size] : axes) {
    if (stride < extent) return false;
    extent += stride * (size - 1);
  }
  return true;
}

/// `object` as an array of T with N axes whose last axis is contiguous; a copy only where that axis is
/// strided, or the elements are not aligned. The array is written to `keep`, which must outlive the view.
/// None gives an empty view.
template <class T, int N>
View<const T, N> input(const char* operation, const char* argument, const py::object& object,
                       py::object& keep) {
  if (object.is_none()) return {};
  refuse_masked(operation, argument, object);
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
  const bool contiguous =
      array.shape(N - 1) <= 1 || array.strides(N - 1) == static_cast<py::ssize_t>(sizeof(T));
  if (!contiguous || !is_aligned<T>(array)) array = aligned_copy<T>(array);
  const py::ssize_t *shape = array.shape(), *strides = array.strides();
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
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (keep.ptr() != object.ptr() || !array.writeable())
    throw py::value_error(place(operation, argument) +
                          " must be a writeable, aligned array whose last axis is contiguous");
  if (!has_distinct_elements(array))
    throw py::value_error(place(operation, argument) + " must not overlap itself, got strides " +
                          std::string(py::str(array.attr("strides"))));
  return {const_cast<T*>(view.data), view.shape, view.stride};
}

/// dispatch(T{}) for float32 or float64, the dtype of `array`.
template <class F>
auto by_dtype(const char* operation, const char* argument, const py::object& array, F dispatch) {
  refuse_masked(operation, argument, array);
  if (is_array_of<float>(array)) return dispatch(float{});
  if (is_array_of<double>(array)) return dispatch(double{});
  const std::string actual =
      py::isinstance<py::array>(array) ? std::string(py::str(array.attr("dtype"))) : type_name(array);
  throw py::type_error(place(operation, argument) + " must be a float32 or float64 array, got " + actual);
}

}  // namespace weft::bindings
