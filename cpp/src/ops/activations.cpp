// activations: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

struct Traits {
  const char *forward, *backward;
  double nanoseconds;  // an element
};
constexpr Traits traits[] = {
    {"relu_forward", "relu_backward", 0.3},       {"gelu_forward", "gelu_backward", 1.5},
    {"gelu_forward", "gelu_backward", 1.0},       {"silu_forward", "silu_backward", 0.8},
    {"sigmoid_forward", "sigmoid_backward", 0.7}, {"tanh_forward", "tanh_backward", 0.7},
};

template <class T>
const ActivationKernels<T>& kernel(Activation activation) {
  static_assert(int(Activation::relu) == 0 && int(Activation::tanh) == 5,
                "the order of PointwiseKernels::activations");
  return kernels<T>(current_table()).pointwise->activations[int(activation)];
}

}  // namespace

template <class T>
void activation_forward(const ActivationForward<T>& call) {
  const auto [operation, backward, nanoseconds] = traits[int(call.activation)];
  const int64_t size = call.x.shape[0];
  check_view(operation, "x", call.x, "(N,)", {size});
  check_view(operation, "y", call.y, "(N,)", {size});
  kernel<T>(call.activation).forward(call, threads_for(double(size) * nanoseconds, call.threads));
}

template <class T>
void activation_backward(const ActivationBackward<T>& call) {
  const auto [forward, operation, nanoseconds] = traits[int(call.activation)];
  const int64_t size = call.kept.shape[0];
  check_view(operation, keeps_input(call.activation) ? "x" : "y", call.kept, "(N,)", {size});
  check_view(operation, "dy", call.dy, "(N,)", {size});
  check_view(operation, "dx", call.dx, "(N,)", {size});
  kernel<T>(call.activation).backward(call, threads_for(double(size) * nanoseconds, call.threads));
}

template void activation_forward(const ActivationForward<float>&);
template void activation_forward(const ActivationForward<double>&);
template void activation_backward(const ActivationBackward<float>&);
template void activation_backward(const ActivationBackward<double>&);

}  // namespace weft
