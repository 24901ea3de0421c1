// One instruction set's packed product behind plain function pointers; compiled with the kernels' own flags.
#include "gemm_isa.hpp"

#include "kernels/gemm/gemm.hpp"

namespace weft::test::gemm_isa {
namespace {

namespace kernels = weft::WEFT_ISA;

template <class T>
Product<T> product() {
  Product<T> result;
  result.isa = kernels::isa_name;
  result.lanes = kernels::lanes<T>;
  result.packed_size = [](int64_t depth, int64_t columns) {
    return kernels::PackedMatrix<T>::size(depth, columns);
  };
  result.pack = [](const T* b, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns,
                   T* packed) {
    const kernels::Range all{0, kernels::round_up(columns, kernels::lanes<T>)};
    const kernels::PackedMatrix<T> matrix{packed, depth, columns};
    n_stride == 1 ? matrix.pack_rows(b, k_stride, all, columns)
                  : matrix.pack_transposed(b, n_stride, all, columns);
  };
  result.multiply = [](int64_t rows, int64_t columns, int64_t depth, const T* a, int64_t a_row, int64_t a_col,
                       const T* b, int64_t b_step, int64_t b_panel, const T* init, int64_t init_row, T* c,
                       int64_t c_row) {
    kernels::gemm<T>(rows, columns, depth, {a, a_row, a_col}, {b, b_step, b_panel}, {init, init_row}, c,
                     c_row);
  };
  return result;
}

}  // namespace

Product<float> WEFT_ISA(float) { return product<float>(); }
Product<double> WEFT_ISA(double) { return product<double>(); }

}  // namespace weft::test::gemm_isa
