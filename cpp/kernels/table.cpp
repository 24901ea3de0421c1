// This instruction set's table. Each family's file fills in its own part.
#include "table.hpp"

#include "isa.hpp"

#define WEFT_STRINGIFY_(name) #name
#define WEFT_STRINGIFY(name) WEFT_STRINGIFY_(name)

namespace weft::WEFT_ISA {

extern const RecurrentKernels<float> recurrent_f32;

extern const KernelTable table;
constinit const KernelTable table = {WEFT_STRINGIFY(WEFT_ISA), {}, {}};

}  // namespace weft::WEFT_ISA
