// AVX2 and FMA: vectors of 32 bytes in 16 registers.
#pragma once

#include "kernels/tuning/tuning.hpp"

namespace weft::WEFT_ISA {

inline constexpr Tuning tuning{};

}  // namespace weft::WEFT_ISA
