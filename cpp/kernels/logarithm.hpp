// The natural logarithm of one number, the C library's.
#pragma once

#include <math.h>

#include "isa.hpp"

namespace weft::WEFT_ISA {

inline float natural_log(float x) { return ::logf(x); }
inline double natural_log(double x) { return ::log(x); }

}  // namespace weft::WEFT_ISA
