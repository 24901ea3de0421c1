// weftnn._core: layer normalization, activations, dropout. Leading axes are already one, or all axes flat.
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

py::tuple py_layer_norm_forward(const py::object& x, const py::object& weight, const py::object& bias,
                                double eps) {
  const char* operation = "layer_norm_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::tuple {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep[0]);
    const auto weight_view = input<T, 1>(operation, "weight", weight, keep[1]);
    const auto bias_view = input<T, 1>(operation, "bias", bias, keep[2]);
    const NewArray<T, 2> y({x_view.shape[0], x_view.shape[1]});
    const NewArray<T, 2> mean({x_view.shape[0], 2});
    const NewArray<T, 1> inverse_deviation({x_view.shape[0]});
    {
      py::gil_scoped_release release;
      layer_norm_forward<T>(x_view, weight_view, bias_view, eps, y.view, mean.view, inverse_deviation.view);
    }
    return py::make_tuple(y.array, mean.array, inverse_deviation.array);
  });
}

py::object py_layer_norm_backward(const py::object& x, const py::object& weight, const py::object& mean,
                                  const py::object& inverse_deviation, const py::object& dy, bool need_dx,
                                  const py::object& dweight, const py::object& dbias) {
  const char* operation = "layer_norm_backward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    std::array<py::object, 5> keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep[0]);
    const auto weight_view = input<T, 1>(operation, "weight", weight, keep[1]);
    const auto mean_view = input<T, 2>(operation, "mean", mean, keep[2]);
    const auto inverse_view = input<T, 1>(operation, "inverse_deviation", inverse_deviation, keep[3]);
    const auto dy_view = input<T, 2>(operation, "dy", dy, keep[4]);
    const auto dweight_view = output<T, 1>(operation, "dweight", dweight);
    const auto dbias_view = output<T, 1>(operation, "dbias", dbias);
    py::object dx = py::none();
    View<T, 2> dx_view;
    if (need_dx) {
      const NewArray<T, 2> fresh({x_view.shape[0], x_view.shape[1]});
      dx_view = fresh.view;
      dx = fresh.array;
    }
    {
      py::gil_scoped_release release;
      const int64_t size = layer_norm_backward_workspace<T>(x_view.shape[0], x_view.shape[1]);
      const Memory memory = acquire(size_t(size) * sizeof(T));
      layer_norm_backward<T>(x_view, weight_view, mean_view, inverse_view, dy_view, dx_view, dweight_view,
                             dbias_view, View<T, 1>(static_cast<T*>(memory.get()), {size}));
    }
    return dx;
  });
}

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
      const auto x_view = flat_input<T>(forward.c_str(), "x", x);
      py::array y = new_like<T>(x);
      const auto y_view = flat_output<T>(forward.c_str(), "y", y);
      {
        py::gil_scoped_release release;
        activation_forward<T>(activation, x_view, y_view);
      }
      return y;
    });
  });
  module.def((name + "_backward").c_str(),
             [backward, activation](const py::object& kept, const py::object& dy) {
               return by_dtype(backward.c_str(), "saved", kept, [&](auto zero) -> py::array {
                 using T = decltype(zero);
                 const auto kept_view = flat_input<T>(backward.c_str(), "saved", kept);
                 const auto dy_view = flat_input<T>(backward.c_str(), "dy", dy, kept);
                 py::array dx = new_like<T>(kept);
                 const auto dx_view = flat_output<T>(backward.c_str(), "dx", dx);
                 {
                   py::gil_scoped_release release;
                   activation_backward<T>(activation, kept_view, dy_view, dx_view);
                 }
                 return dx;
               });
             });
}

py::array py_dropout_forward(const py::object& x, double p, uint64_t seed, uint64_t offset) {
  const char* operation = "dropout_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto x_view = flat_input<T>(operation, "x", x);
    py::array y = new_like<T>(x);
    const auto y_view = flat_output<T>(operation, "y", y);
    {
      py::gil_scoped_release release;
      dropout_forward<T>(x_view, p, seed, offset, y_view);
    }
    return y;
  });
}

py::array py_dropout_backward(const py::object& dy, double p, uint64_t seed, uint64_t offset) {
  const char* operation = "dropout_backward";
  return by_dtype(operation, "dy", dy, [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto dy_view = flat_input<T>(operation, "dy", dy);
    py::array dx = new_like<T>(dy);
    const auto dx_view = flat_output<T>(operation, "dx", dx);
    {
      py::gil_scoped_release release;
      dropout_backward<T>(dy_view, p, seed, offset, dx_view);
    }
    return dx;
  });
}

}  // namespace

void register_loss(py::module_& module);
void register_rotary(py::module_& module);
void register_swiglu(py::module_& module);
void register_updates(py::module_& module);

void register_pointwise(py::module_& module) {
  module.def("layer_norm_forward", &py_layer_norm_forward);
  module.def("layer_norm_backward", &py_layer_norm_backward);
  register_activation(module, "relu", "relu", Activation::relu);
  register_activation(module, "gelu", "gelu", Activation::gelu);
  register_activation(module, "gelu_tanh", "gelu", Activation::gelu_tanh);
  register_activation(module, "silu", "silu", Activation::silu);
  register_activation(module, "sigmoid", "sigmoid", Activation::sigmoid);
  register_activation(module, "tanh", "tanh", Activation::tanh);
  module.def("dropout_forward", &py_dropout_forward);
  module.def("dropout_backward", &py_dropout_backward);
  register_swiglu(module);
  register_rotary(module);
  register_loss(module);
  register_updates(module);
}
