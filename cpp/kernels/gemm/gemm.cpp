// The packed product and its tiles, compiled once for all that multiply.
#include "kernels/gemm/gemm.hpp"

#include "kernels/gemm/pack_transposed.hpp"

namespace weft::WEFT_ISA {

template const Tiles<float> tiles<float>;
template const Tiles<double> tiles<double>;
template void gemm(int64_t, int64_t, int64_t, Rows<float>, Panels<float>, Init<float>, float*, int64_t);
template void gemm(int64_t, int64_t, int64_t, Rows<double>, Panels<double>, Init<double>, double*, int64_t);
template void pack_panel_transposed(const float*, int64_t, int64_t, int64_t, float*, int64_t);
template void pack_transposed(const float*, int64_t, int64_t, int64_t, float*, int64_t, int64_t);
template void pack_panel_transposed(const double*, int64_t, int64_t, int64_t, double*, int64_t);
template void pack_transposed(const double*, int64_t, int64_t, int64_t, double*, int64_t, int64_t);

}  // namespace weft::WEFT_ISA
