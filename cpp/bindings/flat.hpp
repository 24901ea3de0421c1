// Arrays that a kernel writes, as Python passes them.
#pragma once

#include <algorithm>

#include "arrays.hpp"

namespace weft::bindings {

/// The same as output() for an argument that may be None: an empty view.
template <class T, int N>
View<T, N> optional_output(const char* operation, const char* argument, const py::object& object) {
  if (object.is_none()) return {};
  py::array keep;
  input<T, N>(operation, argument, object, keep);  // what is no array of T with N axes is refused here
  py::array array = py::reinterpret_borrow<py::array>(object);
  return output<T, N>(operation, argument, array);
}

/// A C-contiguous array of any shape, flat; of the shape of `like` where that is given.
template <class T>
View<const T, 1> flat_input(const char* operation, const char* argument, const py::object& object,
                            const py::object& like = py::none()) {
  const std::string name = std::string(operation) + ": " + argument;
  if (!py::isinstance<py::array>(object))
    throw py::type_error(name + " must be a NumPy array, got " +
                         std::string(py::str(py::type::of(object).attr("__name__"))));
  if (!py::isinstance<py::array_t<T>>(object))
    throw py::type_error(name + " must have dtype " + std::string(py::str(py::dtype::of<T>())) + ", got " +
                         std::string(py::str(object.attr("dtype"))));
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!like.is_none()) {
    const auto model = py::reinterpret_borrow<py::array>(like);
    if (!std::equal(array.shape(), array.shape() + array.ndim(), model.shape(), model.shape() + model.ndim()))
      throw py::value_error(name + " must have shape " + std::string(py::str(model.attr("shape"))) +
                            ", got " + std::string(py::str(array.attr("shape"))));
  }
  const bool aligned = reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
  if (!py::isinstance<py::array_t<T, py::array::c_style>>(object) || !aligned)
    throw py::value_error(name + " must be C-contiguous and aligned");
  static const T nothing{};
  return {array.size() > 0 ? static_cast<const T*>(array.data()) : &nothing, {array.size()}};
}
/// The same for an array that is written.
template <class T>
View<T, 1> flat_output(const char* operation, const char* argument, const py::object& object,
                       const py::object& like = py::none()) {
  const auto view = flat_input<T>(operation, argument, object, like);
  if (!py::reinterpret_borrow<py::array>(object).writeable())
    throw py::value_error(std::string(operation) + ": " + argument + " must be writeable");
  return {const_cast<T*>(view.data), view.shape, view.stride};
}
/// The same for arguments that may be None: an empty view.
template <class T>
View<const T, 1> optional_flat_input(const char* operation, const char* argument, const py::object& object) {
  return object.is_none() ? View<const T, 1>{} : flat_input<T>(operation, argument, object);
}
template <class T>
View<T, 1> optional_flat_output(const char* operation, const char* argument, const py::object& object,
                                const py::object& like) {
  return object.is_none() ? View<T, 1>{} : flat_output<T>(operation, argument, object, like);
}

}  // namespace weft::bindings
