// The machine's limits on every instruction set, reached from code compiled for the baseline.
#pragma once

#include <cstdint>

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
Limits<float> baseline(float);
Limits<double> baseline(double);
Limits<float> avx2(float);
Limits<double> avx2(double);
Limits<float> avx512(float);
Limits<double> avx512(double);
}  // namespace machine_isa

}  // namespace weft::bench
