// The elementary functions of every instruction set, reached from code compiled for the baseline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "instruction_sets.hpp"
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
#define WEFT_DECLARE(isa, ...) \
  Functions<float> isa(float); \
  Functions<double> isa(double);
WEFT_INSTRUCTION_SETS(WEFT_DECLARE)
#undef WEFT_DECLARE
}  // namespace math_isa

/// Those that this machine can run.
template <class T>
std::vector<Functions<T>> functions() {
  std::vector<Functions<T>> all;
  for (const std::string& name : available_isas()) {
#define WEFT_ADD(isa, ...) \
  if (name == #isa) all.push_back(math_isa::isa(T{}));
    WEFT_INSTRUCTION_SETS(WEFT_ADD)
#undef WEFT_ADD
  }
  return all;
}

}  // namespace weft::bench
