// layer_norm: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"

namespace weft {
namespace {

double cost(int64_t rows, int64_t size) { return double(rows) * (20 + 0.5 * double(size)); }

}  // namespace

template <class T>
void layer_norm_forward(const LayerNormForward<T>& call) {
  const char* operation = "layer_norm_forward";
  const int64_t rows = call.x.shape[0], size = call.x.shape[1];
  check_view(operation, "x", call.x, "(R, D)", {rows, size});
  check_optional(operation, "weight", call.weight, "(D,)", {size});
  check_optional(operation, "bias", call.bias, "(D,)", {size});
  check_not_negative(operation, "eps", call.eps);
  check_view(operation, "y", call.y, "(R, D)", {rows, size});
  check_contiguous(operation, "mean", call.mean, "(R, 2)", {rows, 2});
  check_view(operation, "inverse_deviation", call.inverse_deviation, "(R,)", {rows});
  if (are_empty(call.y)) return;
  kernels<T>(current_table()).dense->layer_norm_forward(call, threads_for(cost(rows, size), call.threads));
}

template <class T>
size_t layer_norm_backward_workspace(const LayerNormBackward<T>& call) {
  const auto [rows, size] = call.x.shape.at;
  checked_product("layer_norm_backward", "the workspace",
                  checked_sum("layer_norm_backward", "the workspace", rows, 64),
                  checked_product("layer_norm_backward", "the workspace", size, 2 * sizeof(double)));
  return largest_size([rows = rows, size = size](const KernelTable& table) {
    return kernels<T>(table).dense->layer_norm_backward_workspace(rows, size);
  });
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& call) {
  const char* operation = "layer_norm_backward";
  const int64_t rows = call.x.shape[0], size = call.x.shape[1];
  check_view(operation, "x", call.x, "(R, D)", {rows, size});
  check_optional(operation, "weight", call.weight, "(D,)", {size});
  check_contiguous(operation, "mean", call.mean, "(R, 2)", {rows, 2});
  check_view(operation, "inverse_deviation", call.inverse_deviation, "(R,)", {rows});
  check_view(operation, "dy", call.dy, "(R, D)", {rows, size});
  check_optional(operation, "dx", call.dx, "(R, D)", {rows, size});
  check_optional(operation, "dweight", call.dweight, "(D,)", {size});
  check_optional(operation, "dbias", call.dbias, "(D,)", {size});
  check_workspace(operation, call, layer_norm_backward_workspace(call));
  if (are_empty(call.x)) return;
  const int threads = threads_for(2 * cost(rows, size), call.threads);
  kernels<T>(current_table()).dense->layer_norm_backward(call, threads);
}

template void layer_norm_forward(const LayerNormForward<float>&);
template void layer_norm_forward(const LayerNormForward<double>&);
template size_t layer_norm_backward_workspace(const LayerNormBackward<float>&);
template size_t layer_norm_backward_workspace(const LayerNormBackward<double>&);
template void layer_norm_backward(const LayerNormBackward<float>&);
template void layer_norm_backward(const LayerNormBackward<double>&);

}  // namespace weft
