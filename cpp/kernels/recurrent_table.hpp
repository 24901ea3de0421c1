// Kernels of recurrent layers.
#pragma once

#include <cstdint>

namespace weft {

template <class T>
struct RecurrentKernels {};

}  // namespace weft
