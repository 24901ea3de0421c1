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

/// A C-contiguous array of any shape, flat; of the shape of `like` where that is given. None gives an empty
/// view.
template <class T>
View<const T, 1> flat_input(const char* operation, const char* argument, const py::object& object,
                            const py::object& like = py::none()) {
  if (object.is_none()) return {};
  if (!py::isinstance<py::array_t<T, py::array::c_style>>(object)) {
    const bool is_array = py::isinstance<py::array>(object);
    const std::string actual = is_array ? std::string(py::str(object.attr("dtype")))
                                        : std::string(py::str(py::type::of(object).attr("__name__")));
    throw py::type_error(
        std::string(operation) + ": " + argument + " must be a C-contiguous array of dtype " +
        std::string(py::str(py::dtype::of<T>())) + ", got " + actual +
        (is_array && py::isinstance<py::array_t<T>>(object) ? " that is not contiguous" : ""));
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!like.is_none()) {
    const auto model = py::reinterpret_borrow<py::array>(like);
    if (!std::equal(array.shape(), array.shape() + array.ndim(), model.shape(), model.shape() + model.ndim()))
      throw py::value_error(std::string(operation) + ": " + argument + " must have shape " +
                            std::string(py::str(model.attr("shape"))) + ", got " +
                            std::string(py::str(array.attr("shape"))));
  }
  static const T nothing{};
  return {array.size() > 0 ? static_cast<const T*>(array.data()) : &nothing, {array.size()}};
}
template <class T>
View<T, 1> flat_output(const char* operation, const char* argument, const py::object& object,
                       const py::object& like = py::none()) {
  const auto view = flat_input<T>(operation, argument, object, like);
  if (view && !py::reinterpret_borrow<py::array>(object).writeable())
    throw py::value_error(std::string(operation) + ": " + argument + " must be writeable");
  return {const_cast<T*>(view.data), view.shape, view.stride};
}

}  // namespace weft::bindings
