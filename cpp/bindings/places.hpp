// Tuples whose places have names, as Python's NamedTuples: C++ holds the names in their order once, finds a
// place by its name when it is compiled, and Python compares its own list with it (ops/bindings.py).
#pragma once

#include <pybind11/pybind11.h>

#include <string_view>

namespace weft::bindings {

/// A name of `names`, an array of them, and its place there.
template <const auto& names>
struct Place {
  const char* name;
  size_t index = 0;

  consteval Place(const char* wanted) : name(wanted) {
    while (std::string_view(names[index]) != wanted) ++index;  // past the end it is no constant
  }
};

template <const auto& names>
pybind11::tuple tuple_of_names() {
  pybind11::tuple tuple(std::size(names));
  for (size_t i = 0; i < std::size(names); ++i) tuple[i] = pybind11::str(names[i]);
  return tuple;
}

}  // namespace weft::bindings
