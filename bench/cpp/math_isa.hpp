// The elementary functions of every instruction set, reached from code compiled for the baseline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/config.hpp"

namespace weft::bench {

/// y[n] = function(x[n]); n is a multiple of 16.
template <class T>
struct Functions {
  using Function = void (*)(const T* x, int64_t n, T* y);
  const char* isa;
  Function exp, tanh, sigmoid;
};

/// Filled by math_isa.cpp, compiled once for each instruction set.
namespace math_isa {
Functions<float> baseline(float);
Functions<double> baseline(double);
Functions<float> avx2(float);
Functions<double> avx2(double);
Functions<float> avx512(float);
Functions<double> avx512(double);
}  // namespace math_isa

/// Those that this machine can run.
template <class T>
std::vector<Functions<T>> functions() {
  std::vector<Functions<T>> all;
  for (const std::string& name : available_isas()) {
    if (name == "baseline") all.push_back(math_isa::baseline(T{}));
#if defined(__x86_64__)
    if (name == "avx2") all.push_back(math_isa::avx2(T{}));
    if (name == "avx512") all.push_back(math_isa::avx512(T{}));
#endif
  }
  return all;
}

}  // namespace weft::bench
