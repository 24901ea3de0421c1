// The optimizers' updates and the gradient norm: validation and dispatch.
#include "weft/updates.hpp"

#include <cmath>

#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"

namespace weft {
namespace {

template <class T>
const PointwiseKernels<T>& pointwise() {
  return *kernels<T>(current_table()).pointwise;
}

template <class T>
int threads_for_arrays(int64_t size, int arrays, int threads) {
  return threads_for(double(size) * double(arrays) * sizeof(T) / 12, threads);
}

template <class T>
void check_param_and_grad(const char* operation, View<T, 1> param, View<const T, 1> grad) {
  check_view(operation, "param", param, "(N,)", {param.shape[0]});
  check_view(operation, "grad", grad, "(N,)", {param.shape[0]});
}

}  // namespace

template <class T>
void sgd_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> velocity, const SgdOptions& options,
                int threads) {
  const char* operation = "sgd_update";
  const int64_t size = param.shape[0];
  check_param_and_grad(operation, param, grad);
  check_optional(operation, "velocity", velocity, "(N,)", {size});
  check_not_negative(operation, "lr", options.lr);
  check_not_negative(operation, "momentum", options.momentum);
  check_number(operation, "dampening", options.dampening, -HUGE_VAL, HUGE_VAL, false);
  check_not_negative(operation, "weight_decay", options.weight_decay);
  if (!velocity && options.momentum != 0)
    fail(operation, "velocity must be given with momentum = " + number_text(options.momentum));
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    fail(operation, "nesterov must have momentum above 0 and dampening 0, got " +
                        number_text(options.momentum) + " and " + number_text(options.dampening));
  pointwise<T>().sgd_update({.size = size,
                             .param = param.data,
                             .grad = grad.data,
                             .velocity = velocity.data,
                             .lr = options.lr,
                             .momentum = options.momentum,
                             .dampening = options.dampening,
                             .weight_decay = options.weight_decay,
                             .nesterov = options.nesterov,
                             .maximize = options.maximize},
                            threads_for_arrays<T>(size, 5, threads));
}

template <class T>
void adam_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> m, View<T, 1> v, View<T, 1> max_v,
                 const AdamOptions& options, int threads) {
  const char* operation = "adam_update";
  const int64_t size = param.shape[0];
  check_param_and_grad(operation, param, grad);
  check_view(operation, "m", m, "(N,)", {size});
  check_view(operation, "v", v, "(N,)", {size});
  check_optional(operation, "max_v", max_v, "(N,)", {size});
  check_not_negative(operation, "lr", options.lr);
  check_number(operation, "beta1", options.beta1, 0, 1, false);
  check_number(operation, "beta2", options.beta2, 0, 1, false);
  check_not_negative(operation, "eps", options.eps);
  check_not_negative(operation, "weight_decay", options.weight_decay);
  if (options.step < 1) fail(operation, "step must be at least 1, got " + std::to_string(options.step));
  const double step = double(options.step);
  pointwise<T>().adam_update({.size = size,
                              .param = param.data,
                              .grad = grad.data,
                              .m = m.data,
                              .v = v.data,
                              .max_v = max_v.data,
                              .lr = options.lr,
                              .beta1 = options.beta1,
                              .beta2 = options.beta2,
                              .eps = options.eps,
                              .weight_decay = options.weight_decay,
                              .decoupled = options.decoupled,
                              .correction1 = 1 - std::pow(options.beta1, step),
                              .correction2 = 1 - std::pow(options.beta2, step)},
                             threads_for_arrays<T>(size, 7, threads));
}

template <class T>
void rmsprop_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> square_avg,
                    View<T, 1> momentum_buffer, View<T, 1> grad_avg, const RmspropOptions& options,
                    int threads) {
  const char* operation = "rmsprop_update";
  const int64_t size = param.shape[0];
  check_param_and_grad(operation, param, grad);
  check_view(operation, "square_avg", square_avg, "(N,)", {size});
  check_optional(operation, "momentum_buffer", momentum_buffer, "(N,)", {size});
  check_optional(operation, "grad_avg", grad_avg, "(N,)", {size});
  check_not_negative(operation, "lr", options.lr);
  check_number(operation, "alpha", options.alpha, 0, 1);
  check_not_negative(operation, "eps", options.eps);
  check_not_negative(operation, "weight_decay", options.weight_decay);
  check_not_negative(operation, "momentum", options.momentum);
  if (!momentum_buffer && options.momentum != 0)
    fail(operation, "momentum_buffer must be given with momentum = " + number_text(options.momentum));
  pointwise<T>().rmsprop_update({.size = size,
                                 .param = param.data,
                                 .grad = grad.data,
                                 .square_avg = square_avg.data,
                                 .momentum_buffer = momentum_buffer.data,
                                 .grad_avg = grad_avg.data,
                                 .lr = options.lr,
                                 .alpha = options.alpha,
                                 .eps = options.eps,
                                 .weight_decay = options.weight_decay,
                                 .momentum = options.momentum},
                                threads_for_arrays<T>(size, 7, threads));
}

template <class T>
void adagrad_update(View<T, 1> param, View<const T, 1> grad, View<T, 1> state_sum,
                    const AdagradOptions& options, int threads) {
  const char* operation = "adagrad_update";
  const int64_t size = param.shape[0];
  check_param_and_grad(operation, param, grad);
  check_view(operation, "state_sum", state_sum, "(N,)", {size});
  check_not_negative(operation, "lr", options.lr);
  check_not_negative(operation, "eps", options.eps);
  check_not_negative(operation, "weight_decay", options.weight_decay);
  check_not_negative(operation, "lr_decay", options.lr_decay);
  if (options.step < 1) fail(operation, "step must be at least 1, got " + std::to_string(options.step));
  pointwise<T>().adagrad_update({.size = size,
                                 .param = param.data,
                                 .grad = grad.data,
                                 .state_sum = state_sum.data,
                                 .lr = options.lr / (1 + double(options.step - 1) * options.lr_decay),
                                 .eps = options.eps,
                                 .weight_decay = options.weight_decay},
                                threads_for_arrays<T>(size, 5, threads));
}

template <class T>
int64_t sum_of_squares_workspace(int64_t size) {
  checked_product("sum_of_squares", "the size of x", size, sizeof(T));
  return pointwise<T>().sum_of_squares_workspace(size);
}

template <class T>
double sum_of_squares(View<const T, 1> x, View<double, 1> workspace, int threads) {
  const char* operation = "sum_of_squares";
  const int64_t size = x.shape[0];
  check_view(operation, "x", x, "(N,)", {size});
  check_workspace(operation, workspace, sum_of_squares_workspace<T>(size));
  return pointwise<T>().sum_of_squares(size, x.data, workspace.data, threads_for_arrays<T>(size, 2, threads));
}

template <class T>
void scale(View<T, 1> x, double factor, int threads) {
  check_view("scale", "x", x, "(N,)", {x.shape[0]});
  pointwise<T>().scale(x.shape[0], x.data, factor, threads_for_arrays<T>(x.shape[0], 2, threads));
}

template void sgd_update(View<float, 1>, View<const float, 1>, View<float, 1>, const SgdOptions&, int);
template void sgd_update(View<double, 1>, View<const double, 1>, View<double, 1>, const SgdOptions&, int);
template void adam_update(View<float, 1>, View<const float, 1>, View<float, 1>, View<float, 1>,
                          View<float, 1>, const AdamOptions&, int);
template void adam_update(View<double, 1>, View<const double, 1>, View<double, 1>, View<double, 1>,
                          View<double, 1>, const AdamOptions&, int);
template void rmsprop_update(View<float, 1>, View<const float, 1>, View<float, 1>, View<float, 1>,
                             View<float, 1>, const RmspropOptions&, int);
template void rmsprop_update(View<double, 1>, View<const double, 1>, View<double, 1>, View<double, 1>,
                             View<double, 1>, const RmspropOptions&, int);
template void adagrad_update(View<float, 1>, View<const float, 1>, View<float, 1>, const AdagradOptions&,
                             int);
template void adagrad_update(View<double, 1>, View<const double, 1>, View<double, 1>, const AdagradOptions&,
                             int);
template int64_t sum_of_squares_workspace<float>(int64_t);
template int64_t sum_of_squares_workspace<double>(int64_t);
template double sum_of_squares(View<const float, 1>, View<double, 1>, int);
template double sum_of_squares(View<const double, 1>, View<double, 1>, int);
template void scale(View<float, 1>, double, int);
template void scale(View<double, 1>, double, int);

}  // namespace weft
