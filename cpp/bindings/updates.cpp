// weftnn._core: the optimizers' updates and the gradient norm, on C-contiguous arrays of any shape.
#include "weft/updates.hpp"

#include "arrays.hpp"
#include "flat.hpp"
#include "memory.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

void py_sgd_update(const py::object& param, const py::object& grad, const py::object& velocity, double lr,
                   double momentum, double dampening, bool nesterov, double weight_decay, bool maximize) {
  const char* operation = "sgd_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const auto param_view = flat_output<T>(operation, "param", param);
    const auto grad_view = flat_input<T>(operation, "grad", grad, param);
    const auto velocity_view = optional_flat_output<T>(operation, "velocity", velocity, param);
    require_apart<T>(operation, {{"param", param_view}, {"grad", grad_view}, {"velocity", velocity_view}});
    py::gil_scoped_release release;
    sgd_update<T>(param_view, grad_view, velocity_view,
                  {lr, momentum, dampening, weight_decay, nesterov, maximize});
  });
}

void py_adam_update(const py::object& param, const py::object& grad, const py::object& m, const py::object& v,
                    const py::object& max_v, double lr, double beta1, double beta2, double eps,
                    double weight_decay, bool decoupled, int64_t step) {
  const char* operation = "adam_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const auto param_view = flat_output<T>(operation, "param", param);
    const auto grad_view = flat_input<T>(operation, "grad", grad, param);
    const auto m_view = flat_output<T>(operation, "m", m, param),
               v_view = flat_output<T>(operation, "v", v, param);
    const auto max_v_view = optional_flat_output<T>(operation, "max_v", max_v, param);
    require_apart<T>(
        operation,
        {{"param", param_view}, {"grad", grad_view}, {"m", m_view}, {"v", v_view}, {"max_v", max_v_view}});
    py::gil_scoped_release release;
    adam_update<T>(param_view, grad_view, m_view, v_view, max_v_view,
                   {lr, beta1, beta2, eps, weight_decay, decoupled, step});
  });
}

void py_rmsprop_update(const py::object& param, const py::object& grad, const py::object& square_avg,
                       const py::object& momentum_buffer, const py::object& grad_avg, double lr, double alpha,
                       double eps, double weight_decay, double momentum) {
  const char* operation = "rmsprop_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const auto param_view = flat_output<T>(operation, "param", param);
    const auto grad_view = flat_input<T>(operation, "grad", grad, param);
    const auto square_avg_view = flat_output<T>(operation, "square_avg", square_avg, param);
    const auto momentum_view = optional_flat_output<T>(operation, "momentum_buffer", momentum_buffer, param);
    const auto grad_avg_view = optional_flat_output<T>(operation, "grad_avg", grad_avg, param);
    require_apart<T>(operation, {{"param", param_view},
                                 {"grad", grad_view},
                                 {"square_avg", square_avg_view},
                                 {"momentum_buffer", momentum_view},
                                 {"grad_avg", grad_avg_view}});
    py::gil_scoped_release release;
    rmsprop_update<T>(param_view, grad_view, square_avg_view, momentum_view, grad_avg_view,
                      {lr, alpha, eps, weight_decay, momentum});
  });
}

void py_adagrad_update(const py::object& param, const py::object& grad, const py::object& state_sum,
                       double lr, double eps, double weight_decay, double lr_decay, int64_t step) {
  const char* operation = "adagrad_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const auto param_view = flat_output<T>(operation, "param", param);
    const auto grad_view = flat_input<T>(operation, "grad", grad, param);
    const auto sum_view = flat_output<T>(operation, "state_sum", state_sum, param);
    require_apart<T>(operation, {{"param", param_view}, {"grad", grad_view}, {"state_sum", sum_view}});
    py::gil_scoped_release release;
    adagrad_update<T>(param_view, grad_view, sum_view, {lr, eps, weight_decay, lr_decay, step});
  });
}

double py_sum_of_squares(const std::string& operation, const std::string& argument, const py::object& array) {
  return by_dtype(operation.c_str(), argument.c_str(), array, [&](auto zero) {
    using T = decltype(zero);
    const auto view = flat_input<T>(operation.c_str(), argument.c_str(), array);
    py::gil_scoped_release release;
    const int64_t size = sum_of_squares_workspace<T>(view.shape[0]);
    const Memory memory = acquire(size_t(size) * sizeof(double));
    return sum_of_squares<T>(view, View<double, 1>(static_cast<double*>(memory.get()), {size}));
  });
}

void py_scale(const std::string& operation, const py::object& array, double factor) {
  by_dtype(operation.c_str(), "array", array, [&](auto zero) {
    using T = decltype(zero);
    const auto view = flat_output<T>(operation.c_str(), "array", array);
    py::gil_scoped_release release;
    scale<T>(view, factor);
  });
}

}  // namespace

void register_updates(py::module_& module) {
  module.def("sgd_update", &py_sgd_update);
  module.def("adam_update", &py_adam_update);
  module.def("rmsprop_update", &py_rmsprop_update);
  module.def("adagrad_update", &py_adagrad_update);
  module.def("sum_of_squares", &py_sum_of_squares);
  module.def("scale", &py_scale);
}
