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
    const SgdUpdate<T> call{.param = flat_output<T>(operation, "param", param),
                            .grad = flat_input<T>(operation, "grad", grad, param),
                            .velocity = optional_flat_output<T>(operation, "velocity", velocity, param),
                            .lr = lr,
                            .momentum = momentum,
                            .dampening = dampening,
                            .weight_decay = weight_decay,
                            .nesterov = nesterov,
                            .maximize = maximize};
    require_apart<T>(operation, {{"param", call.param}, {"grad", call.grad}, {"velocity", call.velocity}});
    py::gil_scoped_release release;
    sgd_update(call);
  });
}

void py_adam_update(const py::object& param, const py::object& grad, const py::object& m, const py::object& v,
                    const py::object& max_v, double lr, double beta1, double beta2, double eps,
                    double weight_decay, bool decoupled, int64_t step) {
  const char* operation = "adam_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const AdamUpdate<T> call{.param = flat_output<T>(operation, "param", param),
                             .grad = flat_input<T>(operation, "grad", grad, param),
                             .m = flat_output<T>(operation, "m", m, param),
                             .v = flat_output<T>(operation, "v", v, param),
                             .max_v = optional_flat_output<T>(operation, "max_v", max_v, param),
                             .lr = lr,
                             .beta1 = beta1,
                             .beta2 = beta2,
                             .eps = eps,
                             .weight_decay = weight_decay,
                             .decoupled = decoupled,
                             .step = step};
    require_apart<T>(
        operation,
        {{"param", call.param}, {"grad", call.grad}, {"m", call.m}, {"v", call.v}, {"max_v", call.max_v}});
    py::gil_scoped_release release;
    adam_update(call);
  });
}

void py_rmsprop_update(const py::object& param, const py::object& grad, const py::object& square_avg,
                       const py::object& momentum_buffer, const py::object& grad_avg, double lr, double alpha,
                       double eps, double weight_decay, double momentum) {
  const char* operation = "rmsprop_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const RmspropUpdate<T> call{
        .param = flat_output<T>(operation, "param", param),
        .grad = flat_input<T>(operation, "grad", grad, param),
        .square_avg = flat_output<T>(operation, "square_avg", square_avg, param),
        .momentum_buffer = optional_flat_output<T>(operation, "momentum_buffer", momentum_buffer, param),
        .grad_avg = optional_flat_output<T>(operation, "grad_avg", grad_avg, param),
        .lr = lr,
        .alpha = alpha,
        .eps = eps,
        .weight_decay = weight_decay,
        .momentum = momentum};
    require_apart<T>(operation, {{"param", call.param},
                                 {"grad", call.grad},
                                 {"square_avg", call.square_avg},
                                 {"momentum_buffer", call.momentum_buffer},
                                 {"grad_avg", call.grad_avg}});
    py::gil_scoped_release release;
    rmsprop_update(call);
  });
}

void py_adagrad_update(const py::object& param, const py::object& grad, const py::object& state_sum,
                       double lr, double eps, double weight_decay, double lr_decay, int64_t step) {
  const char* operation = "adagrad_update";
  by_dtype(operation, "param", param, [&](auto zero) {
    using T = decltype(zero);
    const AdagradUpdate<T> call{.param = flat_output<T>(operation, "param", param),
                                .grad = flat_input<T>(operation, "grad", grad, param),
                                .state_sum = flat_output<T>(operation, "state_sum", state_sum, param),
                                .lr = lr,
                                .eps = eps,
                                .weight_decay = weight_decay,
                                .lr_decay = lr_decay,
                                .step = step};
    require_apart<T>(operation, {{"param", call.param}, {"grad", call.grad}, {"state_sum", call.state_sum}});
    py::gil_scoped_release release;
    adagrad_update(call);
  });
}

double py_sum_of_squares(const std::string& operation, const std::string& argument, const py::object& array) {
  return by_dtype(operation.c_str(), argument.c_str(), array, [&](auto zero) {
    using T = decltype(zero);
    SumOfSquares<T> call{.x = flat_input<T>(operation.c_str(), argument.c_str(), array)};
    py::gil_scoped_release release;
    const Memory memory = bring_workspace(call, sum_of_squares_workspace(call));
    return sum_of_squares(call);
  });
}

void py_scale(const std::string& operation, const py::object& array, double factor) {
  by_dtype(operation.c_str(), "array", array, [&](auto zero) {
    using T = decltype(zero);
    const Scale<T> call{.x = flat_output<T>(operation.c_str(), "array", array), .factor = factor};
    py::gil_scoped_release release;
    scale(call);
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
