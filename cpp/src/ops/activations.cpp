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
void activation_forward(Activation activation, View<const T, 1> x, View<T, 1> y, int threads) {
  const auto [operation, backward, nanoseconds] = traits[int(activation)];
  const int64_t size = x.shape[0];
  check_view(operation, "x", x, "(N,)", {size});
  check_view(operation, "y", y, "(N,)", {size});
  kernel<T>(activation).forward(size, x.data, y.data, threads_for(double(size) * nanoseconds, threads));
}

template <class T>
void activation_backward(Activation activation, View<const T, 1> kept, View<const T, 1> dy, View<T, 1> dx,
                         int threads) {
  const auto [forward, operation, nanoseconds] = traits[int(activation)];
  const int64_t size = kept.shape[0];
  check_view(operation, keeps_input(activation) ? "x" : "y", kept, "(N,)", {size});
  check_view(operation, "dy", dy, "(N,)", {size});
  check_view(operation, "dx", dx, "(N,)", {size});
  kernel<T>(activation)
      .backward(size, kept.data, dy.data, dx.data, threads_for(double(size) * nanoseconds, threads));
}

template void activation_forward(Activation, View<const float, 1>, View<float, 1>, int);
template void activation_forward(Activation, View<const double, 1>, View<double, 1>, int);
template void activation_backward(Activation, View<const float, 1>, View<const float, 1>, View<float, 1>,
                                  int);
template void activation_backward(Activation, View<const double, 1>, View<const double, 1>, View<double, 1>,
                                  int);

}  // namespace weft
