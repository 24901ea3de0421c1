// Integer arrays that point into a table.
#pragma once

#include "arrays.hpp"
#include "weft/dense.hpp"

namespace weft::bindings {

/// A C-contiguous int64 array of any number of axes, flat. Throws a ValueError with the place and the value
/// of the first element that is neither `ignored` nor in [0, size); `expected` says so in words.
inline View<const int64_t, 1> indices_below(const char* operation, const char* argument,
                                            const py::array& array, int64_t size, int64_t ignored,
                                            const std::string& expected) {
  if (!py::isinstance<py::array_t<int64_t, py::array::c_style>>(array))
    throw py::type_error(std::string(operation) + ": " + argument +
                         " must be a C-contiguous int64 array, got " + std::string(py::str(array.dtype())));
  static const int64_t nothing = 0;
  const auto* data = array.size() > 0 ? static_cast<const int64_t*>(array.data()) : &nothing;
  const View<const int64_t, 1> view{data, {array.size()}};
  int64_t position = find_index_outside(view, size, ignored);
  if (position < 0) return view;
  const std::string value = std::to_string(data[position]);
  std::string place;
  for (py::ssize_t axis = array.ndim() - 1; axis >= 0; --axis) {
    place = std::to_string(position % array.shape(axis)) + (place.empty() ? "" : ", ") + place;
    position /= array.shape(axis);
  }
  throw py::value_error(std::string(operation) + ": " + argument + " must be " + expected + ", got " + value +
                        " at [" + place + "]");
}

}  // namespace weft::bindings
