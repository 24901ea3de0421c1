// AVX-512 F, BW, DQ and VL: vectors of 64 bytes in 32 registers.
#pragma once

#include "kernels/tuning/tuning.hpp"

namespace weft::WEFT_ISA {

inline constexpr Tuning tuning = of_32_registers();

}  // namespace weft::WEFT_ISA
