// linear: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"

namespace weft {
namespace {

template <class T>
const DenseKernels<T>& dense(const KernelTable& table) {
  return *kernels<T>(table).dense;
}

/// About the nanoseconds of a product of that size on one thread.
double product_cost(int64_t rows, int64_t columns, int64_t depth) {
  return (double(rows) + 2) * double(columns) * double(depth) / multiply_adds_per_nanosecond;
}

// A thread's workspace is below 2^20 elements: blocks of the packed weight, of x and of dy have a bounded
// size.
void check_weight_size(const char* operation, int64_t inputs, int64_t outputs) {
  checked_product(operation, "the size of weight",
                  checked_product(operation, "the size of weight", inputs, outputs), sizeof(double));
}

}  // namespace

template <class T>
int64_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads) {
  check_weight_size("linear_forward", inputs, outputs);
  return largest_size([&, most = most_threads(threads)](const KernelTable& table) {
    return dense<T>(table).linear_forward_workspace(inputs, outputs, most);
  });
}

template <class T>
void linear_forward(View<const T, 2> x, View<const T, 2> weight, View<const T, 1> bias, View<T, 2> y,
                    View<T, 1> workspace, int threads) {
  const char* operation = "linear_forward";
  const int64_t rows = x.shape[0], inputs = x.shape[1], outputs = weight.shape[0];
  check_view(operation, "x", x, "(R, I)", {rows, inputs});
  check_view(operation, "weight", weight, "(O, I)", {outputs, inputs});
  check_optional(operation, "bias", bias, "(O,)", {outputs});
  check_view(operation, "y", y, "(R, O)", {rows, outputs});
  check_weight_size(operation, inputs, outputs);
  const DenseKernels<T>& family = dense<T>(current_table());
  const auto needed = [&](int count) { return family.linear_forward_workspace(inputs, outputs, count); };
  check_workspace(operation, workspace, needed(1));
  if (are_empty(y)) return;
  family.linear_forward(
      {.rows = rows,
       .inputs = inputs,
       .outputs = outputs,
       .x = x.data,
       .x_row = x.stride[0],
       .weight = weight.data,
       .weight_row = weight.stride[0],
       .bias = bias.data,
       .y = y.data,
       .y_row = y.stride[0],
       .workspace = workspace.data},
      fitting_threads(product_cost(rows, outputs, inputs), threads, workspace.shape[0], needed));
}

template <class T>
int64_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads) {
  check_weight_size("linear_backward", inputs, outputs);
  return largest_size([&, most = most_threads(threads)](const KernelTable& table) {
    return dense<T>(table).linear_backward_workspace(inputs, outputs, most);
  });
}

template <class T>
void linear_backward(View<const T, 2> x, View<const T, 2> weight, View<const T, 2> dy, View<T, 2> dx,
                     View<T, 2> dweight, View<T, 1> dbias, View<T, 1> workspace, int threads) {
  const char* operation = "linear_backward";
  const int64_t rows = x.shape[0], inputs = x.shape[1], outputs = weight.shape[0];
  check_view(operation, "x", x, "(R, I)", {rows, inputs});
  check_view(operation, "weight", weight, "(O, I)", {outputs, inputs});
  check_view(operation, "dy", dy, "(R, O)", {rows, outputs});
  check_optional(operation, "dx", dx, "(R, I)", {rows, inputs});
  check_optional(operation, "dweight", dweight, "(O, I)", {outputs, inputs});
  check_optional(operation, "dbias", dbias, "(O,)", {outputs});
  check_weight_size(operation, inputs, outputs);
  const DenseKernels<T>& family = dense<T>(current_table());
  const auto needed = [&](int count) { return family.linear_backward_workspace(inputs, outputs, count); };
  check_workspace(operation, workspace, needed(1));
  if (are_empty(dx, dweight, dbias)) return;
  family.linear_backward(
      {.rows = rows,
       .inputs = inputs,
       .outputs = outputs,
       .x = x.data,
       .x_row = x.stride[0],
       .weight = weight.data,
       .weight_row = weight.stride[0],
       .dy = dy.data,
       .dy_row = dy.stride[0],
       .dx = dx.data,
       .dx_row = dx.stride[0],
       .dweight = dweight.data,
       .dweight_row = dweight.stride[0],
       .dbias = dbias.data,
       .workspace = workspace.data},
      fitting_threads(2 * product_cost(rows, outputs, inputs), threads, workspace.shape[0], needed));
}

template int64_t linear_forward_workspace<float>(int64_t, int64_t, int);
template int64_t linear_forward_workspace<double>(int64_t, int64_t, int);
template int64_t linear_backward_workspace<float>(int64_t, int64_t, int);
template int64_t linear_backward_workspace<double>(int64_t, int64_t, int);
template void linear_forward(View<const float, 2>, View<const float, 2>, View<const float, 1>, View<float, 2>,
                             View<float, 1>, int);
template void linear_forward(View<const double, 2>, View<const double, 2>, View<const double, 1>,
                             View<double, 2>, View<double, 1>, int);
template void linear_backward(View<const float, 2>, View<const float, 2>, View<const float, 2>,
                              View<float, 2>, View<float, 2>, View<float, 1>, View<float, 1>, int);
template void linear_backward(View<const double, 2>, View<const double, 2>, View<const double, 2>,
                              View<double, 2>, View<double, 2>, View<double, 1>, View<double, 1>, int);

}  // namespace weft
