// swiglu: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

void check_even(const char* operation, int64_t columns) {
  if (columns % 2 != 0)
    fail(operation, "x must be (R, 2 F), an even number of features, got " + std::to_string(columns));
}

}  // namespace

template <class T>
void swiglu_forward(View<const T, 2> x, View<T, 2> y, int threads) {
  const char* operation = "swiglu_forward";
  const auto [R, columns] = x.shape.at;
  check_even(operation, columns);
  check_view(operation, "x", x, "(R, 2 F)", x.shape);
  check_view(operation, "y", y, "(R, F)", {R, columns / 2});
  if (are_empty(y)) return;
  kernels<T>(current_table())
      .pointwise->swiglu_forward({.rows = R,
                                  .size = columns / 2,
                                  .x = x.data,
                                  .x_row = x.stride[0],
                                  .y = y.data,
                                  .y_row = y.stride[0]},
                                 threads_for(double(R) * double(columns) * 0.5, threads));
}

template <class T>
void swiglu_backward(View<const T, 2> x, View<const T, 2> dy, View<T, 2> dx, int threads) {
  const char* operation = "swiglu_backward";
  const auto [R, columns] = x.shape.at;
  check_even(operation, columns);
  check_view(operation, "x", x, "(R, 2 F)", x.shape);
  check_view(operation, "dy", dy, "(R, F)", {R, columns / 2});
  check_view(operation, "dx", dx, "(R, 2 F)", x.shape);
  if (are_empty(dx)) return;
  kernels<T>(current_table())
      .pointwise->swiglu_backward({.rows = R,
                                   .size = columns / 2,
                                   .x = x.data,
                                   .x_row = x.stride[0],
                                   .dy = dy.data,
                                   .dy_row = dy.stride[0],
                                   .dx = dx.data,
                                   .dx_row = dx.stride[0]},
                                  threads_for(double(R) * double(columns) * 0.6, threads));
}

template void swiglu_forward(View<const float, 2>, View<float, 2>, int);
template void swiglu_forward(View<const double, 2>, View<double, 2>, int);
template void swiglu_backward(View<const float, 2>, View<const float, 2>, View<float, 2>, int);
template void swiglu_backward(View<const double, 2>, View<const double, 2>, View<double, 2>, int);

}  // namespace weft
