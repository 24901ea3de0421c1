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
void swiglu_forward(const SwigluForward<T>& call) {
  const char* operation = "swiglu_forward";
  const int64_t rows = call.x.shape[0], columns = call.x.shape[1];
  check_even(operation, columns);
  check_view(operation, "x", call.x, "(R, 2 F)", call.x.shape);
  check_view(operation, "y", call.y, "(R, F)", {rows, columns / 2});
  if (are_empty(call.y)) return;
  const int threads = threads_for(double(rows) * double(columns) * 0.5, call.threads);
  kernels<T>(current_table()).pointwise->swiglu_forward(call, threads);
}

template <class T>
void swiglu_backward(const SwigluBackward<T>& call) {
  const char* operation = "swiglu_backward";
  const int64_t rows = call.x.shape[0], columns = call.x.shape[1];
  check_even(operation, columns);
  check_view(operation, "x", call.x, "(R, 2 F)", call.x.shape);
  check_view(operation, "dy", call.dy, "(R, F)", {rows, columns / 2});
  check_view(operation, "dx", call.dx, "(R, 2 F)", call.x.shape);
  if (are_empty(call.dx)) return;
  const int threads = threads_for(double(rows) * double(columns) * 0.6, call.threads);
  kernels<T>(current_table()).pointwise->swiglu_backward(call, threads);
}

template void swiglu_forward(const SwigluForward<float>&);
template void swiglu_forward(const SwigluForward<double>&);
template void swiglu_backward(const SwigluBackward<float>&);
template void swiglu_backward(const SwigluBackward<double>&);

}  // namespace weft
