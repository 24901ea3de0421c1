// The optimizers' updates and the gradient norm: validation and dispatch.
#include "weft/updates.hpp"

#include <cmath>

#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"

namespace weft {
namespace {

template <class T>
const OptimKernels<T>& optim() {
  return *kernels<T>(current_table()).optim;
}

template <class T>
int threads_for_arrays(int64_t size, int arrays, int threads) {
  return threads_for(double(size) * double(arrays) * sizeof(T) / 12, threads);
}

template <class Call>
void check_param_and_grad(const char* operation, const Call& call) {
  check_view(operation, "param", call.param, "(N,)", {call.param.shape[0]});
  check_view(operation, "grad", call.grad, "(N,)", {call.param.shape[0]});
}

void check_step(const char* operation, int64_t step) {
  if (step < 1) fail(operation, "step must be at least 1, got " + std::to_string(step));
}

}  // namespace

template <class T>
void sgd_update(const SgdUpdate<T>& call) {
  const char* operation = "sgd_update";
  const int64_t size = call.param.shape[0];
  check_param_and_grad(operation, call);
  check_optional(operation, "velocity", call.velocity, "(N,)", {size});
  check_not_negative(operation, "lr", call.lr);
  check_not_negative(operation, "momentum", call.momentum);
  check_number(operation, "dampening", call.dampening, -HUGE_VAL, HUGE_VAL, false);
  check_not_negative(operation, "weight_decay", call.weight_decay);
  if (!call.velocity && call.momentum != 0)
    fail(operation, "velocity must be given with momentum = " + number_text(call.momentum));
  if (call.nesterov && (call.momentum == 0 || call.dampening != 0))
    fail(operation, "nesterov must have momentum above 0 and dampening 0, got " + number_text(call.momentum) +
                        " and " + number_text(call.dampening));
  optim<T>().sgd_update(call, threads_for_arrays<T>(size, 5, call.threads));
}

template <class T>
void adam_update(const AdamUpdate<T>& call) {
  const char* operation = "adam_update";
  const int64_t size = call.param.shape[0];
  check_param_and_grad(operation, call);
  check_view(operation, "m", call.m, "(N,)", {size});
  check_view(operation, "v", call.v, "(N,)", {size});
  check_optional(operation, "max_v", call.max_v, "(N,)", {size});
  check_not_negative(operation, "lr", call.lr);
  check_number(operation, "beta1", call.beta1, 0, 1, false);
  check_number(operation, "beta2", call.beta2, 0, 1, false);
  check_not_negative(operation, "eps", call.eps);
  check_not_negative(operation, "weight_decay", call.weight_decay);
  check_step(operation, call.step);
  optim<T>().adam_update(call, threads_for_arrays<T>(size, 7, call.threads));
}

template <class T>
void rmsprop_update(const RmspropUpdate<T>& call) {
  const char* operation = "rmsprop_update";
  const int64_t size = call.param.shape[0];
  check_param_and_grad(operation, call);
  check_view(operation, "square_avg", call.square_avg, "(N,)", {size});
  check_optional(operation, "momentum_buffer", call.momentum_buffer, "(N,)", {size});
  check_optional(operation, "grad_avg", call.grad_avg, "(N,)", {size});
  check_not_negative(operation, "lr", call.lr);
  check_number(operation, "alpha", call.alpha, 0, 1);
  check_not_negative(operation, "eps", call.eps);
  check_not_negative(operation, "weight_decay", call.weight_decay);
  check_not_negative(operation, "momentum", call.momentum);
  if (!call.momentum_buffer && call.momentum != 0)
    fail(operation, "momentum_buffer must be given with momentum = " + number_text(call.momentum));
  optim<T>().rmsprop_update(call, threads_for_arrays<T>(size, 7, call.threads));
}

template <class T>
void adagrad_update(const AdagradUpdate<T>& call) {
  const char* operation = "adagrad_update";
  const int64_t size = call.param.shape[0];
  check_param_and_grad(operation, call);
  check_view(operation, "state_sum", call.state_sum, "(N,)", {size});
  check_not_negative(operation, "lr", call.lr);
  check_not_negative(operation, "eps", call.eps);
  check_not_negative(operation, "weight_decay", call.weight_decay);
  check_not_negative(operation, "lr_decay", call.lr_decay);
  check_step(operation, call.step);
  AdagradUpdate<T> decayed = call;  // here, since kernels may round it as one with what follows
  decayed.lr = call.lr / (1 + double(call.step - 1) * call.lr_decay);
  optim<T>().adagrad_update(decayed, threads_for_arrays<T>(size, 5, call.threads));
}

template <class T>
size_t sum_of_squares_workspace(const SumOfSquares<T>& call) {
  checked_product("sum_of_squares", "the size of x", call.x.shape[0], sizeof(T));
  return optim<T>().sum_of_squares_workspace(call.x.shape[0]);
}

template <class T>
double sum_of_squares(const SumOfSquares<T>& call) {
  const char* operation = "sum_of_squares";
  const int64_t size = call.x.shape[0];
  check_view(operation, "x", call.x, "(N,)", {size});
  check_workspace(operation, call, sum_of_squares_workspace(call));
  return optim<T>().sum_of_squares(call, threads_for_arrays<T>(size, 2, call.threads));
}

template <class T>
void scale(const Scale<T>& call) {
  const int64_t size = call.x.shape[0];
  check_view("scale", "x", call.x, "(N,)", {size});
  optim<T>().scale(call, threads_for_arrays<T>(size, 2, call.threads));
}

template void sgd_update(const SgdUpdate<float>&);
template void sgd_update(const SgdUpdate<double>&);
template void adam_update(const AdamUpdate<float>&);
template void adam_update(const AdamUpdate<double>&);
template void rmsprop_update(const RmspropUpdate<float>&);
template void rmsprop_update(const RmspropUpdate<double>&);
template void adagrad_update(const AdagradUpdate<float>&);
template void adagrad_update(const AdagradUpdate<double>&);
template size_t sum_of_squares_workspace(const SumOfSquares<float>&);
template size_t sum_of_squares_workspace(const SumOfSquares<double>&);
template double sum_of_squares(const SumOfSquares<float>&);
template double sum_of_squares(const SumOfSquares<double>&);
template void scale(const Scale<float>&);
template void scale(const Scale<double>&);

}  // namespace weft
