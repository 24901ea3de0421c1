// The machine's limits on every instruction set, reached from code compiled for the baseline.
#pragma once

#include <cstdint>

#include "instruction_sets.hpp"

namespace weft::bench {

/// Three loops of one instruction set, reached from code compiled for the baseline.
template <class T>
struct Limits {
  const char* isa;
  int64_t operations;  ///< of a round of multiply_add
  /// Independent chains of multiply-adds in registers; what they give is left in sink[lanes].
  void (*multiply_add)(int64_t rounds, T* sink);
  /// Adds up n elements; what they give is left in sink[lanes].
  void (*read)(const T* data, int64_t n, T* sink);
  /// a . b of n elements, whole multiples of eight vectors.
  T (*dot)(const T* a, const T* b, int64_t n);
};

/// Filled by machine_isa.cpp, compiled once for each instruction set.
namespace machine_isa {
#define WEFT_DECLARE(isa, ...) \
  Limits<float> isa(float);    \
  Limits<double> isa(double);
WEFT_INSTRUCTION_SETS(WEFT_DECLARE)
#undef WEFT_DECLARE
}  // namespace machine_isa

}  // namespace weft::bench
