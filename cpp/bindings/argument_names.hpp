// Arguments that Python passes by position and C++ reads by name.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string_view>

namespace weft::bindings {

namespace py = pybind11;

/// The names of a call's arguments, in order. Python compares them with its own list, once, at import:
/// neither side can be reordered alone.
template <size_t N>
struct ArgumentNames {
  std::string_view at[N];

  /// The place of one of them, known to the compiler.
  consteval size_t operator[](std::string_view name) const {
    for (size_t i = 0; i < N; ++i)
      if (at[i] == name) return i;
    throw "no argument has that name";
  }
  py::tuple tuple() const {
    py::tuple all(N);
    for (size_t i = 0; i < N; ++i) all[i] = py::str(at[i].data(), at[i].size());
    return all;
  }
};
template <class... Name>
ArgumentNames(Name...) -> ArgumentNames<sizeof...(Name)>;

}  // namespace weft::bindings
