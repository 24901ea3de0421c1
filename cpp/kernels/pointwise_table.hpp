// Kernels over elements and rows.
#pragma once

#include <cstdint>

namespace weft {

template <class T>
struct PointwiseKernels {};

}  // namespace weft
