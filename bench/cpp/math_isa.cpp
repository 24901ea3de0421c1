// One instruction set's elementary functions behind plain function pointers; compiled with the kernels' own
// flags.
#include "math_isa.hpp"

#include "kernels/simd/math.hpp"

namespace weft::bench::math_isa {
namespace {

namespace kernels = weft::WEFT_ISA;

template <class T>
Functions<T> functions() {
  using V = kernels::Vec<T>;
  constexpr int64_t width = kernels::lanes<T>;
  Functions<T> result;
  result.isa = kernels::isa_name;
  result.exp = [](const T* x, int64_t n, T* y) {
    for (int64_t i = 0; i < n; i += width)
      kernels::store(y + i, kernels::exponential<T>(V(kernels::load(x + i))));
  };
  result.tanh = [](const T* x, int64_t n, T* y) {
    for (int64_t i = 0; i < n; i += width) kernels::store(y + i, kernels::tanh(V(kernels::load(x + i))));
  };
  result.sigmoid = [](const T* x, int64_t n, T* y) {
    for (int64_t i = 0; i < n; i += width)
      kernels::store(y + i, kernels::sigmoid<T>(V(kernels::load(x + i))));
  };
  return result;
}

}  // namespace

Functions<float> WEFT_ISA(float) { return functions<float>(); }
Functions<double> WEFT_ISA(double) { return functions<double>(); }

}  // namespace weft::bench::math_isa
