// The product by weights stored as bfloat16, of every instruction set, reached from code compiled for the
// baseline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/config.hpp"

namespace weft::test {

/// C[M,N] = start + A[M,K] B[K,N] of one instruction set.
struct Bf16Product {
  const char* isa;
  int64_t lanes;
  int64_t (*packed_size)(int64_t depth, int64_t columns);
  /// B has rows of stride b_row, or where it is transposed, columns of that stride. Columns go in groups of
  /// `group`, a multiple of `lanes`.
  void (*pack)(const float* b, int64_t b_row, bool transposed, int64_t depth, int64_t columns, int64_t group,
               uint16_t* packed);
  void (*multiply)(int64_t rows, int64_t columns, int64_t depth, const float* a, uint16_t* packed,
                   int64_t group, const float* start, int64_t start_row, float* c, int64_t c_row);
};

/// Filled by bf16_weights_isa.cpp, compiled once for each instruction set.
namespace bf16_weights_isa {
Bf16Product baseline();
Bf16Product avx2();
Bf16Product avx512();
}  // namespace bf16_weights_isa

/// Those that this machine can run.
inline std::vector<Bf16Product> bf16_products() {
  std::vector<Bf16Product> all;
  for (const std::string& name : available_isas()) {
    if (name == "baseline") all.push_back(bf16_weights_isa::baseline());
#if defined(__x86_64__)
    if (name == "avx2") all.push_back(bf16_weights_isa::avx2());
    if (name == "avx512") all.push_back(bf16_weights_isa::avx512());
#endif
  }
  return all;
}

}  // namespace weft::test
