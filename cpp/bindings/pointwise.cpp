// weftnn._core: activations, dropout. All axes are flat.
#include "weft/pointwise.hpp"

#include <array>

#include "arrays.hpp"
#include "flat.hpp"
#include "memory.hpp"
#include "new_array.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// A new array of the shape of another.
template <class T>
py::array new_like(const py::object& object) {
  const auto array = py::reinterpret_borrow<py::array>(object);
  return new_array<T>(reinterpret_cast<const int64_t*>(array.shape()), int(array.ndim()));
}

/// `operation` is how errors name it.
void register_activation(py::module_& module, const std::string& name, const std::string& operation,
                         Activation activation) {
  const std::string forward = operation + "_forward", backward = operation + "_backward";
  module.def((name + "_forward").c_str(), [forward, activation](const py::object& x) {
    return by_dtype(forward.c_str(), "x", x, [&](auto zero) -> py::array {
      using T = decltype(zero);
      ActivationForward<T> call{.activation = activation, .x = flat_input<T>(forward.c_str(), "x", x)};
      py::array y = new_like<T>(x);
      call.y = flat_output<T>(forward.c_str(), "y", y);
      {
        py::gil_scoped_release release;
        activation_forward(call);
      }
      return y;
    });
  });
  module.def((name + "_backward").c_str(),
             [backward, activation](const py::object& kept, const py::object& dy) {
               return by_dtype(backward.c_str(), "saved", kept, [&](auto zero) -> py::array {
                 using T = decltype(zero);
                 ActivationBackward<T> call{.activation = activation,
                                            .kept = flat_input<T>(backward.c_str(), "saved", kept),
                                            .dy = flat_input<T>(backward.c_str(), "dy", dy, kept)};
                 py::array dx = new_like<T>(kept);
                 call.dx = flat_output<T>(backward.c_str(), "dx", dx);
                 {
                   py::gil_scoped_release release;
                   activation_backward(call);
                 }
                 return dx;
               });
             });
}

/// Forward and backward differ in their names.
template <bool forward>
py::array py_dropout(const py::object& x, double p, uint64_t seed, uint64_t offset) {
  const char* operation = forward ? "dropout_forward" : "dropout_backward";
  const char* argument = forward ? "x" : "dy";
  return by_dtype(operation, argument, x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    Dropout<T> call{.x = flat_input<T>(operation, argument, x), .p = p, .seed = seed, .offset = offset};
    py::array y = new_like<T>(x);
    call.y = flat_output<T>(operation, "y", y);
    {
      py::gil_scoped_release release;
      forward ? dropout_forward(call) : dropout_backward(call);
    }
    return y;
  });
}

}  // namespace

void register_loss(py::module_& module);
void register_rotary(py::module_& module);
void register_swiglu(py::module_& module);
void register_updates(py::module_& module);

void register_pointwise(py::module_& module) {
  register_activation(module, "relu", "relu", Activation::relu);
  register_activation(module, "gelu", "gelu", Activation::gelu);
  register_activation(module, "gelu_tanh", "gelu", Activation::gelu_tanh);
  register_activation(module, "silu", "silu", Activation::silu);
  register_activation(module, "sigmoid", "sigmoid", Activation::sigmoid);
  register_activation(module, "tanh", "tanh", Activation::tanh);
  module.def("dropout_forward", &py_dropout<true>);
  module.def("dropout_backward", &py_dropout<false>);
  register_swiglu(module);
  register_rotary(module);
  register_loss(module);
  register_updates(module);
}
