// dropout: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

template <class T>
void run(const char* operation, const char* from, const char* to, const Dropout<T>& call) {
  const int64_t size = call.x.shape[0];
  check_view(operation, from, call.x, "(N,)", {size});
  check_number(operation, "p", call.p, 0, 1);
  check_view(operation, to, call.y, "(N,)", {size});
  kernels<T>(current_table()).pointwise->dropout(call, threads_for(double(size) * 0.8, call.threads));
}

}  // namespace

template <class T>
void dropout_forward(const Dropout<T>& call) {
  run("dropout_forward", "x", "y", call);
}
template <class T>
void dropout_backward(const Dropout<T>& call) {
  run("dropout_backward", "dy", "dx", call);
}

template void dropout_forward(const Dropout<float>&);
template void dropout_forward(const Dropout<double>&);
template void dropout_backward(const Dropout<float>&);
template void dropout_backward(const Dropout<double>&);

}  // namespace weft
