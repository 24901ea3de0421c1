// Kernels of dense layers: linear, embedding.
#pragma once

#include <cstdint>

namespace weft {

template <class T>
struct DenseKernels {};

}  // namespace weft
