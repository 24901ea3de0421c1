// Arrays that a kernel writes, as Python passes them.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>

#include "arrays.hpp"

namespace weft::bindings {

/// A C-contiguous array of any shape, flat; of the shape of `like` where that is given.
template <class T>
View<const T, 1> flat_input(const char* operation, const char* argument, const py::object& object,
                            const py::object& like = py::none()) {
  refuse_masked(operation, argument, object);
  if (!is_array_of<T>(object)) {
    if (!py::isinstance<py::array>(object))
      throw py::type_error(place(operation, argument) + " must be a NumPy array, got " + type_name(object));
    throw py::type_error(place(operation, argument) + " must have dtype " +
                         std::string(py::str(py::dtype::of<T>())) + ", got " +
                         std::string(py::str(object.attr("dtype"))));
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!like.is_none()) {
    const auto model = py::reinterpret_borrow<py::array>(like);
    if (!std::equal(array.shape(), array.shape() + array.ndim(), model.shape(), model.shape() + model.ndim()))
      throw py::value_error(place(operation, argument) + " must have shape " +
                            std::string(py::str(model.attr("shape"))) + ", got " +
                            std::string(py::str(array.attr("shape"))));
  }
  if ((array.flags() & py::array::c_style) == 0 || !is_aligned<T>(array))
    throw py::value_error(place(operation, argument) + " must be C-contiguous and aligned");
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

/// An array of a call by its name; one that was left out overlaps nothing.
template <class T>
struct NamedArray {
  const char* argument;
  View<const T, 1> view;
};
/// Throws where two of them share memory: what is written to one would be read as the other.
template <class T>
void require_apart(const char* operation, std::initializer_list<NamedArray<T>> arrays) {
  const std::less<const T*> before;  // of pointers into different arrays, too
  for (const NamedArray<T>& a : arrays)
    for (const NamedArray<T>& b : arrays)
      if (&a < &b && a.view && b.view && before(a.view.data, b.view.data + b.view.shape[0]) &&
          before(b.view.data, a.view.data + a.view.shape[0]))
        throw py::value_error(place(operation, b.argument) + " must not overlap " + a.argument);
}

}  // namespace weft::bindings
