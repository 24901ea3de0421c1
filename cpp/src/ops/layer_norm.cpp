// layer_norm: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

template <class T>
const PointwiseKernels<T>& pointwise() {
  return *kernels<T>(current_table()).pointwise;
}

double cost(int64_t rows, int64_t size) { return double(rows) * (20 + 0.5 * double(size)); }

}  // namespace

template <class T>
void layer_norm_forward(View<const T, 2> x, View<const T, 1> weight, View<const T, 1> bias, double eps,
                        View<T, 2> y, View<T, 2> mean, View<T, 1> inverse_deviation, int threads) {
  const char* operation = "layer_norm_forward";
  const int64_t rows = x.shape[0], size = x.shape[1];
  check_view(operation, "x", x, "(R, D)", {rows, size});
  check_optional(operation, "weight", weight, "(D,)", {size});
  check_optional(operation, "bias", bias, "(D,)", {size});
  check_not_negative(operation, "eps", eps);
  check_view(operation, "y", y, "(R, D)", {rows, size});
  check_contiguous(operation, "mean", mean, "(R, 2)", {rows, 2});
  check_view(operation, "inverse_deviation", inverse_deviation, "(R,)", {rows});
  if (are_empty(y)) return;
  pointwise<T>().layer_norm_forward({.rows = rows,
                                     .size = size,
                                     .x = x.data,
                                     .x_row = x.stride[0],
                                     .weight = weight.data,
                                     .bias = bias.data,
                                     .eps = eps,
                                     .y = y.data,
                                     .y_row = y.stride[0],
                                     .mean = mean.data,
                                     .inverse_deviation = inverse_deviation.data},
                                    threads_for(cost(rows, size), threads));
}

template <class T>
int64_t layer_norm_backward_workspace(int64_t rows, int64_t size) {
  checked_product("layer_norm_backward", "the workspace",
                  checked_sum("layer_norm_backward", "the workspace", rows, 64),
                  checked_product("layer_norm_backward", "the workspace", size, 2 * sizeof(double)));
  return largest_size([&](const KernelTable& table) {
    return kernels<T>(table).pointwise->layer_norm_backward_workspace(rows, size);
  });
}

template <class T>
void layer_norm_backward(View<const T, 2> x, View<const T, 1> weight, View<const T, 2> mean,
                         View<const T, 1> inverse_deviation, View<const T, 2> dy, View<T, 2> dx,
                         View<T, 1> dweight, View<T, 1> dbias, View<T, 1> workspace, int threads) {
  const char* operation = "layer_norm_backward";
  const int64_t rows = x.shape[0], size = x.shape[1];
  check_view(operation, "x", x, "(R, D)", {rows, size});
  check_optional(operation, "weight", weight, "(D,)", {size});
  check_contiguous(operation, "mean", mean, "(R, 2)", {rows, 2});
  check_view(operation, "inverse_deviation", inverse_deviation, "(R,)", {rows});
  check_view(operation, "dy", dy, "(R, D)", {rows, size});
  check_optional(operation, "dx", dx, "(R, D)", {rows, size});
  check_optional(operation, "dweight", dweight, "(D,)", {size});
  check_optional(operation, "dbias", dbias, "(D,)", {size});
  check_workspace(operation, workspace, layer_norm_backward_workspace<T>(rows, size));
  if (are_empty(x)) return;
  pointwise<T>().layer_norm_backward({.rows = rows,
                                      .size = size,
                                      .x = x.data,
                                      .x_row = x.stride[0],
                                      .weight = weight.data,
                                      .mean = mean.data,
                                      .inverse_deviation = inverse_deviation.data,
                                      .dy = dy.data,
                                      .dy_row = dy.stride[0],
                                      .dx = dx.data,
                                      .dx_row = dx.stride[0],
                                      .dweight = dweight.data,
                                      .dbias = dbias.data,
                                      .workspace = workspace.data},
                                     threads_for(2 * cost(rows, size), threads));
}

template void layer_norm_forward(View<const float, 2>, View<const float, 1>, View<const float, 1>, double,
                                 View<float, 2>, View<float, 2>, View<float, 1>, int);
template void layer_norm_forward(View<const double, 2>, View<const double, 1>, View<const double, 1>, double,
                                 View<double, 2>, View<double, 2>, View<double, 1>, int);
template int64_t layer_norm_backward_workspace<float>(int64_t, int64_t);
template int64_t layer_norm_backward_workspace<double>(int64_t, int64_t);
template void layer_norm_backward(View<const float, 2>, View<const float, 1>, View<const float, 2>,
                                  View<const float, 1>, View<const float, 2>, View<float, 2>, View<float, 1>,
                                  View<float, 1>, View<float, 1>, int);
template void layer_norm_backward(View<const double, 2>, View<const double, 1>, View<const double, 2>,
                                  View<const double, 1>, View<const double, 2>, View<double, 2>,
                                  View<double, 1>, View<double, 1>, View<double, 1>, int);

}  // namespace weft
