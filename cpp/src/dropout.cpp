// dropout: validation and dispatch.
#include "checks.hpp"
#include "cost.hpp"
#include "dispatch.hpp"
#include "weft/pointwise.hpp"

namespace weft {

template <class T>
void dropout(View<const T, 1> x, double p, uint64_t seed, uint64_t offset, View<T, 1> y) {
  const char* operation = "dropout";
  const int64_t size = x.shape[0];
  check_view(operation, "x", x, "(N,)", {size});
  check_number(operation, "p", p, 0, 1, false);
  check_view(operation, "y", y, "(N,)", {size});
  kernels<T>(current_table())
      .pointwise->dropout({.size = size,
                           .x = x.data,
                           .y = y.data,
                           .seed = seed,
                           .offset = offset,
                           .threshold = uint64_t(std::ceil(p * 4294967296.0)),
                           .scale = 1 / (1 - p)},
                          threads_for(double(size) * 0.8));
}

template void dropout(View<const float, 1>, double, uint64_t, uint64_t, View<float, 1>);
template void dropout(View<const double, 1>, double, uint64_t, uint64_t, View<double, 1>);

}  // namespace weft
