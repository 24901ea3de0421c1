// The packed product of every instruction set, reached from code compiled for the baseline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "instruction_sets.hpp"
#include "weft/config.hpp"

namespace weft::test {

/// C[M,N] = init + A[M,K] B[K,N] of one instruction set; strides are in elements.
template <class T>
struct Product {
  const char* isa;
  int64_t lanes;
  int64_t (*packed_size)(int64_t depth, int64_t columns);
  void (*pack)(const T* b, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, T* packed);
  /// B lies in panels: element (k, n) at b[(n / lanes) * b_panel + k * b_step + n % lanes]. `init` may be
  /// null or c; init_row is its row stride, 0 to give all rows the same.
  void (*multiply)(int64_t rows, int64_t columns, int64_t depth, const T* a, int64_t a_row, int64_t a_col,
                   const T* b, int64_t b_step, int64_t b_panel, const T* init, int64_t init_row, T* c,
                   int64_t c_row);
};

/// Filled by gemm_isa.cpp, compiled once for each instruction set.
namespace gemm_isa {
#define WEFT_DECLARE(isa, ...) \
  Product<float> isa(float);   \
  Product<double> isa(double);
WEFT_INSTRUCTION_SETS(WEFT_DECLARE)
#undef WEFT_DECLARE
}  // namespace gemm_isa

/// Those that this machine can run.
template <class T>
std::vector<Product<T>> products() {
  std::vector<Product<T>> all;
  for (const std::string& name : available_isas()) {
#define WEFT_ADD(isa, ...) \
  if (name == #isa) all.push_back(gemm_isa::isa(T{}));
    WEFT_INSTRUCTION_SETS(WEFT_ADD)
#undef WEFT_ADD
  }
  return all;
}

}  // namespace weft::test
