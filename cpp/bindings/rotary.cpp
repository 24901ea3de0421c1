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
    Rotary<T> call{.x = input<T, 4>(operation, argument, x, keep[0]),
                   .cos = input<T, 3>(operation, "cos", cos, keep[1]),
                   .sin = input<T, 3>(operation, "sin", sin, keep[2]),
                   .interleaved = interleaved};
    py::object y = out;
    if (out.is_none()) {
      const NewArray<T, 4> fresh(call.x.shape);
      y = fresh.array, call.y = fresh.view;
    } else {
      call.y = output<T, 4>(operation, "out", out);
    }
    {
      py::gil_scoped_release release;
      forward ? rotary_forward(call) : rotary_backward(call);
    }
    return y;
  });
}

}  // namespace

void register_rotary(py::module_& module) {
  module.def("rotary_forward", &py_rotary<true>);
  module.def("rotary_backward", &py_rotary<false>);
}
