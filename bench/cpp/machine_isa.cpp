// One instruction set's limits behind plain function pointers; compiled with the kernels' own flags.
#include "machine_isa.hpp"

#include "kernels/simd/isa.hpp"

namespace weft::bench::machine_isa {
namespace {

namespace kernels = weft::WEFT_ISA;

// More than latency times multiply-adds a cycle (4 x 2), and few enough for 16 registers.
constexpr int chains = 12;

template <class T>
Limits<T> limits() {
  using V = kernels::Vec<T>;
  Limits<T> result;
  result.isa = kernels::isa_name;
  result.operations = 2 * chains * kernels::lanes<T>;
  result.multiply_add = [](int64_t rounds, T* sink) {
    const V factor = kernels::broadcast(T(0.5)), term = kernels::broadcast(T(1));
    V sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = kernels::broadcast(T(i));
    for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
      for (int i = 0; i < chains; ++i) sums[i] = kernels::fma(sums[i], factor, term);
    for (int i = 1; i < chains; ++i) sums[0] = sums[0] + sums[i];
    kernels::store(sink, sums[0]);
  };
  result.read = [](const T* data, int64_t n, T* sink) {
    constexpr int64_t width = kernels::lanes<T>;
    V sums[8] = {};
    for (int64_t i = 0; i + 8 * width <= n; i += 8 * width)
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k) sums[k] = sums[k] + kernels::load(data + i + k * width);
    for (int k = 1; k < 8; ++k) sums[0] = sums[0] + sums[k];
    kernels::store(sink, sums[0]);
  };
  result.dot = [](const T* a, const T* b, int64_t n) {
    constexpr int64_t width = kernels::lanes<T>;
    V sums[8] = {};
    for (int64_t i = 0; i + 8 * width <= n; i += 8 * width)
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k)
        sums[k] = kernels::fma(kernels::load(a + i + k * width), kernels::load(b + i + k * width), sums[k]);
    for (int k = 1; k < 8; ++k) sums[0] = sums[0] + sums[k];
    return T(Eigen::internal::predux(sums[0]));
  };
  return result;
}

}  // namespace

Limits<float> WEFT_ISA(float) { return limits<float>(); }
Limits<double> WEFT_ISA(double) { return limits<double>(); }

}  // namespace weft::bench::machine_isa
