// rotary: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

template <class T>
void run(const char* operation, const char* from, const char* to, View<const T, 4> x, View<const T, 3> cos,
         View<const T, 3> sin, bool interleaved, bool inverse, View<T, 4> y, int threads) {
  const auto [B, N, time, D] = x.shape.at;
  const int64_t pairs = cos.shape[2], tables = cos.shape[0] == 1 ? 1 : B;
  check_view(operation, from, x, "(B, N, T, D)", x.shape);
  check_view(operation, "cos", cos, "(B, T, P), or (1, T, P),", {tables, time, pairs});
  check_view(operation, "sin", sin, "cos's (B, T, P)", cos.shape);
  if (2 * pairs > D)
    fail(operation, "cos must have P pairs with 2 P at most D = " + std::to_string(D) +
                        ", got P = " + std::to_string(pairs));
  check_view(operation, to, y, "(B, N, T, D)", x.shape);
  if (are_empty(y)) return;
  const auto batch_stride = [&](const View<const T, 3>& table) { return tables == 1 ? 0 : table.stride[0]; };
  kernels<T>(current_table())
      .pointwise->rotary({.batch = B,
                          .heads = N,
                          .time = time,
                          .size = D,
                          .pairs = pairs,
                          .x = x.data,
                          .x_stride = {x.stride[0], x.stride[1], x.stride[2]},
                          .cos = cos.data,
                          .cos_stride = {batch_stride(cos), cos.stride[1]},
                          .sin = sin.data,
                          .sin_stride = {batch_stride(sin), sin.stride[1]},
                          .interleaved = interleaved,
                          .inverse = inverse,
                          .y = y.data,
                          .y_stride = {y.stride[0], y.stride[1], y.stride[2]}},
                         threads_for(double(B) * double(N) * double(time) * double(D) * 0.3, threads));
}

}  // namespace

template <class T>
void rotary_forward(View<const T, 4> x, View<const T, 3> cos, View<const T, 3> sin, bool interleaved,
                    View<T, 4> y, int threads) {
  run("rotary_forward", "x", "y", x, cos, sin, interleaved, false, y, threads);
}

template <class T>
void rotary_backward(View<const T, 4> dy, View<const T, 3> cos, View<const T, 3> sin, bool interleaved,
                     View<T, 4> dx, int threads) {
  run("rotary_backward", "dy", "dx", dy, cos, sin, interleaved, true, dx, threads);
}

template void rotary_forward(View<const float, 4>, View<const float, 3>, View<const float, 3>, bool,
                             View<float, 4>, int);
template void rotary_forward(View<const double, 4>, View<const double, 3>, View<const double, 3>, bool,
                             View<double, 4>, int);
template void rotary_backward(View<const float, 4>, View<const float, 3>, View<const float, 3>, bool,
                              View<float, 4>, int);
template void rotary_backward(View<const double, 4>, View<const double, 3>, View<const double, 3>, bool,
                              View<double, 4>, int);

}  // namespace weft
