// The products of few rows, compiled once for all that multiply.
#include "kernels/gemm/small_m_product.hpp"

namespace weft::WEFT_ISA {

template void product_of_few_rows(int64_t, Range, int64_t, const float*, int64_t, const float*, int64_t,
                                  Epilogue<float>, float*, int64_t);
template void product_of_some_rows(int64_t, Range, int64_t, const float*, int64_t, const float*, int64_t,
                                   const float*, float*, int64_t, float*);
template void start_turned(int64_t, int64_t, const float*, float*);
template void turn_back(int64_t, int64_t, int64_t, const float*, float*, int64_t);
template void product_of_few_rows(int64_t, Range, int64_t, const double*, int64_t, const double*, int64_t,
                                  Epilogue<double>, double*, int64_t);
template void product_of_some_rows(int64_t, Range, int64_t, const double*, int64_t, const double*, int64_t,
                                   const double*, double*, int64_t, double*);
template void start_turned(int64_t, int64_t, const double*, double*);
template void turn_back(int64_t, int64_t, int64_t, const double*, double*, int64_t);

}  // namespace weft::WEFT_ISA
