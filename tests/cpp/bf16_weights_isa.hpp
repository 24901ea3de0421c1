// The product by weights stored as bfloat16, of every instruction set, reached from code compiled for the
// baseline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "instruction_sets.hpp"
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
#define WEFT_DECLARE(isa, ...) Bf16Product isa();
WEFT_INSTRUCTION_SETS(WEFT_DECLARE)
#undef WEFT_DECLARE
}  // namespace bf16_weights_isa

/// Those that this machine can run.
inline std::vector<Bf16Product> bf16_products() {
  std::vector<Bf16Product> all;
  for (const std::string& name : available_isas()) {
#define WEFT_ADD(isa, ...) \
  if (name == #isa) all.push_back(bf16_weights_isa::isa());
    WEFT_INSTRUCTION_SETS(WEFT_ADD)
#undef WEFT_ADD
  }
  return all;
}

}  // namespace weft::test
