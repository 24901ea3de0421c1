// weftnn._core: rotary positions.
#include <array>

#include "arrays.hpp"
#include "new_array.hpp"
#include "weft/pointwise.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// Forward and backward differ in their names and in the direction of the turn. `out` is None for a new
/// array.
template <bool forward>
py::object py_rotary(const py::object& x, const py::object& cos, const py::object& sin, bool interleaved,
                     const py::object& out) {
  const char* operation = forward ? "rotary_forward" : "rotary_backward";
  const char* argument = forward ? "x" : "dy";
  return by_dtype(operation, argument, x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    const auto x_view = input<T, 4>(operation, argument, x, keep[0]);
    const auto cos_view = input<T, 3>(operation, "cos", cos, keep[1]);
    const auto sin_view = input<T, 3>(operation, "sin", sin, keep[2]);
    py::object y = out;
    View<T, 4> y_view;
    if (out.is_none()) {
      const NewArray<T, 4> fresh(x_view.shape);
      y = fresh.array, y_view = fresh.view;
    } else {
      y_view = output<T, 4>(operation, "out", out);
    }
    {
      py::gil_scoped_release release;
      if constexpr (forward)
        rotary_forward<T>(x_view, cos_view, sin_view, interleaved, y_view);
      else
        rotary_backward<T>(x_view, cos_view, sin_view, interleaved, y_view);
    }
    return y;
  });
}

}  // namespace

void register_rotary(py::module_& module) {
  module.def("rotary_forward", &py_rotary<true>);
  module.def("rotary_backward", &py_rotary<false>);
}
