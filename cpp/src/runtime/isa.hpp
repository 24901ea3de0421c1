// Which instruction set is in use. It refers to no kernels, so that a program links only the families it
// calls.
#pragma once

namespace weft {

/// Its place in the list (cmake/instruction_sets.cmake). A list of tables goes in this order.
/// Throws BadArgument where WEFT_ISA names one that is not available.
int current_isa();

/// The name of that place.
const char* isa_name(int isa);

/// How many were compiled in, and whether this machine can run that one.
int isa_count();
bool isa_is_available(int isa);

/// Of those that this machine can run, slowest first, the name of number `index`; null if there is none.
const char* available_isa(int index);

}  // namespace weft
