// linear: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"

namespace weft {
namespace {

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
size_t linear_forward_workspace(const LinearForward<T>& call) {
  const auto [outputs, inputs] = call.weight.shape.at;
  check_weight_size("linear_forward", inputs, outputs);
  return largest_size([&, inputs = inputs, outputs = outputs](const KernelTable& table) {
    return kernels<T>(table).dense->linear_forward_workspace(inputs, outputs, most_threads(call.threads));
  });
}

template <class T>
void linear_forward(const LinearForward<T>& call) {
  const char* operation = "linear_forward";
  const int64_t rows = call.x.shape[0], inputs = call.x.shape[1], outputs = call.weight.shape[0];
  check_view(operation, "x", call.x, "(R, I)", {rows, inputs});
  check_view(operation, "weight", call.weight, "(O, I)", {outputs, inputs});
  check_optional(operation, "bias", call.bias, "(O,)", {outputs});
  check_view(operation, "y", call.y, "(R, O)", {rows, outputs});
  check_weight_size(operation, inputs, outputs);
  const DenseKernels<T>& family = *kernels<T>(current_table()).dense;
  const auto needed = [&](int count) { return family.linear_forward_workspace(inputs, outputs, count); };
  check_workspace(operation, call, needed(1));
  if (are_empty(call.y)) return;
  const double cost = product_cost(rows, outputs, inputs);
  family.linear_forward(call, fitting_threads(cost, call.threads, call.workspace_bytes, needed));
}

template <class T>
size_t linear_backward_workspace(const LinearBackward<T>& call) {
  const auto [outputs, inputs] = call.weight.shape.at;
  check_weight_size("linear_backward", inputs, outputs);
  return largest_size([&, inputs = inputs, outputs = outputs](const KernelTable& table) {
    return kernels<T>(table).dense->linear_backward_workspace(inputs, outputs, most_threads(call.threads));
  });
}

template <class T>
void linear_backward(const LinearBackward<T>& call) {
  const char* operation = "linear_backward";
  const int64_t rows = call.x.shape[0], inputs = call.x.shape[1], outputs = call.weight.shape[0];
  check_view(operation, "x", call.x, "(R, I)", {rows, inputs});
  check_view(operation, "weight", call.weight, "(O, I)", {outputs, inputs});
  check_view(operation, "dy", call.dy, "(R, O)", {rows, outputs});
  check_optional(operation, "dx", call.dx, "(R, I)", {rows, inputs});
  check_optional(operation, "dweight", call.dweight, "(O, I)", {outputs, inputs});
  check_optional(operation, "dbias", call.dbias, "(O,)", {outputs});
  check_weight_size(operation, inputs, outputs);
  const DenseKernels<T>& family = *kernels<T>(current_table()).dense;
  const auto needed = [&](int count) { return family.linear_backward_workspace(inputs, outputs, count); };
  check_workspace(operation, call, needed(1));
  if (are_empty(call.dx, call.dweight, call.dbias)) return;
  const double cost = 2 * product_cost(rows, outputs, inputs);
  family.linear_backward(call, fitting_threads(cost, call.threads, call.workspace_bytes, needed));
}

template size_t linear_forward_workspace(const LinearForward<float>&);
template size_t linear_forward_workspace(const LinearForward<double>&);
template size_t linear_backward_workspace(const LinearBackward<float>&);
template size_t linear_backward_workspace(const LinearBackward<double>&);
template void linear_forward(const LinearForward<float>&);
template void linear_forward(const LinearForward<double>&);
template void linear_backward(const LinearBackward<float>&);
template void linear_backward(const LinearBackward<double>&);

}  // namespace weft
