// Weights stored as bfloat16, the upper half of a float, in the arithmetic of floats: all that another
// element type of weights takes. Compiled with the kernels' own flags.
#include "bf16_weights_isa.hpp"

#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

struct Bf16 {
  uint16_t bits;
};

template <>
inline Vec<float> load_weight<float>(const Bf16* p) {
  uint32_t bits[lanes<float>];
  for (int i = 0; i < lanes<float>; ++i) bits[i] = uint32_t(p[i].bits) << 16;
  float values[lanes<float>];
  __builtin_memcpy(values, bits, sizeof bits);
  return load(values);
}

/// To nearest, ties to even.
template <>
inline void store_weight<float>(Bf16* p, const Vec<float>& v) {
  float values[lanes<float>];
  store(values, v);
  uint32_t bits[lanes<float>];
  __builtin_memcpy(bits, values, sizeof bits);
  for (int i = 0; i < lanes<float>; ++i) {
    const bool nan = (bits[i] & 0x7fffffff) > 0x7f800000;
    const uint32_t rounded = nan ? bits[i] | 0x400000 : bits[i] + 0x7fff + (bits[i] >> 16 & 1);
    p[i].bits = uint16_t(rounded >> 16);
  }
}

template struct PackedMatrix<float, Bf16>;
template void gemm(int64_t, int64_t, int64_t, const Rows<float>&, const Panels<Bf16>&, const Epilogue<float>&,
                   float*, int64_t);

}  // namespace weft::WEFT_ISA

namespace weft::test::bf16_weights_isa {
namespace {

namespace kernels = weft::WEFT_ISA;
using Matrix = kernels::PackedMatrix<float, kernels::Bf16>;

Matrix matrix(uint16_t* packed, int64_t depth, int64_t columns, int64_t group) {
  return {reinterpret_cast<kernels::Bf16*>(packed), depth, columns, group};
}

}  // namespace

Bf16Product WEFT_ISA() {
  Bf16Product result;
  result.isa = kernels::isa_name;
  result.lanes = kernels::lanes<float>;
  result.packed_size = &Matrix::size;
  result.pack = [](const float* b, int64_t b_row, bool transposed, int64_t depth, int64_t columns,
                   int64_t group, uint16_t* packed) {
    const kernels::Range all{0, kernels::round_up(columns, kernels::lanes<float>)};
    const Matrix to = matrix(packed, depth, columns, group);
    transposed ? to.pack_transposed(b, b_row, all, columns) : to.pack_rows(b, b_row, all, columns);
  };
  result.multiply = [](int64_t rows, int64_t columns, int64_t depth, const float* a, uint16_t* packed,
                       int64_t group, const float* start, int64_t start_row, float* c, int64_t c_row) {
    const int64_t at_once = group == kernels::lanes<float> ? columns : group;
    const kernels::Epilogue<float> epilogue{start, start_row};
    for (int64_t n = 0; n < columns; n += at_once)
      kernels::gemm<float>(rows, kernels::min_of(at_once, columns - n), depth, {a, depth, 1},
                           matrix(packed, depth, columns, group).panels(n, n), epilogue.at(0, n), c + n,
                           c_row);
  };
  return result;
}

}  // namespace weft::test::bf16_weights_isa
