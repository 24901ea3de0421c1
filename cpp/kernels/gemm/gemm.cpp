// The packed product and its packing, compiled once for all that multiply: a line of each for every pair of
// arithmetic and stored weights.
#include "kernels/gemm/gemm.hpp"

namespace weft::WEFT_ISA {

template struct PackedMatrix<float>;
template struct PackedMatrix<double>;
template const Tiles<float, float> tiles<float>;
template const Tiles<double, double> tiles<double>;
template void gemm(int64_t, int64_t, int64_t, const Rows<float>&, const Panels<float>&,
                   const Epilogue<float>&, float*, int64_t);
template void gemm(int64_t, int64_t, int64_t, const Rows<double>&, const Panels<double>&,
                   const Epilogue<double>&, double*, int64_t);

}  // namespace weft::WEFT_ISA
