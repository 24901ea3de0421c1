// The recurrent part of this instruction set's table, defined in recurrent.cpp.
#pragma once

#include "kernels/recurrent/recurrent_table.hpp"

namespace weft::WEFT_ISA {

extern const RecurrentKernels<float> recurrent_f32;
extern const RecurrentKernels<double> recurrent_f64;

}  // namespace weft::WEFT_ISA
