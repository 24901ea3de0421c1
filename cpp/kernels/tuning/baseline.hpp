// Of every processor that weft runs on: x86-64 with SSE2, arm64 with NEON.
#pragma once

#include "kernels/tuning/tuning.hpp"

namespace weft::WEFT_ISA {

#if defined(__aarch64__)
inline constexpr Tuning tuning = of_32_registers();
#else
inline constexpr Tuning tuning{};
#endif

}  // namespace weft::WEFT_ISA
