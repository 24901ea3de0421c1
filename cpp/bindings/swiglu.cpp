// weftnn._core: SwiGLU. Leading axes are already one.
#include <array>

#include "arrays.hpp"
#include "new_array.hpp"
#include "weft/pointwise.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

py::array py_swiglu_forward(const py::object& x) {
  const char* operation = "swiglu_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    py::object keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep);
    const NewArray<T, 2> y({x_view.shape[0], x_view.shape[1] / 2});
    {
      py::gil_scoped_release release;
      swiglu_forward<T>({.x = x_view, .y = y.view});
    }
    return y.array;
  });
}

py::array py_swiglu_backward(const py::object& x, const py::object& dy) {
  const char* operation = "swiglu_backward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    std::array<py::object, 2> keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep[0]);
    const auto dy_view = input<T, 2>(operation, "dy", dy, keep[1]);
    const NewArray<T, 2> dx(x_view.shape);
    {
      py::gil_scoped_release release;
      swiglu_backward<T>({.x = x_view, .dy = dy_view, .dx = dx.view});
    }
    return dx.array;
  });
}

}  // namespace

void register_swiglu(py::module_& module) {
  module.def("swiglu_forward", &py_swiglu_forward);
  module.def("swiglu_backward", &py_swiglu_backward);
}
