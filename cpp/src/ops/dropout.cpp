// dropout: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {
namespace {

template <class T>
void run(const char* operation, const char* from, const char* to, View<const T, 1> x, double p, uint64_t seed,
         uint64_t offset, View<T, 1> y, int threads) {
  const int64_t size = x.shape[0];
  check_view(operation, from, x, "(N,)", {size});
  check_number(operation, "p", p, 0, 1);
  check_view(operation, to, y, "(N,)", {size});
  kernels<T>(current_table())
      .pointwise->dropout({.size = size,
                           .x = x.data,
                           .y = y.data,
                           .seed = seed,
                           .offset = offset,
                           .threshold = uint64_t(std::ceil(p * 4294967296.0)),
                           .scale = p < 1 ? 1 / (1 - p) : 0},
                          threads_for(double(size) * 0.8, threads));
}

}  // namespace

template <class T>
void dropout_forward(View<const T, 1> x, double p, uint64_t seed, uint64_t offset, View<T, 1> y,
                     int threads) {
  run("dropout_forward", "x", "y", x, p, seed, offset, y, threads);
}

template <class T>
void dropout_backward(View<const T, 1> dy, double p, uint64_t seed, uint64_t offset, View<T, 1> dx,
                      int threads) {
  run("dropout_backward", "dy", "dx", dy, p, seed, offset, dx, threads);
}

template void dropout_forward(View<const float, 1>, double, uint64_t, uint64_t, View<float, 1>, int);
template void dropout_forward(View<const double, 1>, double, uint64_t, uint64_t, View<double, 1>, int);
template void dropout_backward(View<const float, 1>, double, uint64_t, uint64_t, View<float, 1>, int);
template void dropout_backward(View<const double, 1>, double, uint64_t, uint64_t, View<double, 1>, int);

}  // namespace weft
