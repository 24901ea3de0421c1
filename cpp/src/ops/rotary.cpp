// rotary: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

template <class T>
void run(const char* operation, const char* from, const char* to, const Rotary<T>& call, bool inverse) {
  const auto [B, N, time, D] = call.x.shape.at;
  const int64_t pairs = call.cos.shape[2], tables = call.cos.shape[0] == 1 ? 1 : B;
  check_view(operation, from, call.x, "(B, N, T, D)", call.x.shape);
  check_view(operation, "cos", call.cos, "(B, T, P), or (1, T, P),", {tables, time, pairs});
  check_view(operation, "sin", call.sin, "cos's (B, T, P)", call.cos.shape);
  if (2 * pairs > D)
    fail(operation, "cos must have P pairs with 2 P at most D = " + std::to_string(D) +
                        ", got P = " + std::to_string(pairs));
  check_view(operation, to, call.y, "(B, N, T, D)", call.x.shape);
  if (are_empty(call.y)) return;
  const double cost = double(B) * double(N) * double(time) * double(D) * 0.3;
  kernels<T>(current_table()).pointwise->rotary(call, inverse, threads_for(cost, call.threads));
}

}  // namespace

template <class T>
void rotary_forward(const Rotary<T>& call) {
  run("rotary_forward", "x", "y", call, false);
}
template <class T>
void rotary_backward(const Rotary<T>& call) {
  run("rotary_backward", "dy", "dx", call, true);
}

template void rotary_forward(const Rotary<float>&);
template void rotary_forward(const Rotary<double>&);
template void rotary_backward(const Rotary<float>&);
template void rotary_backward(const Rotary<double>&);

}  // namespace weft
