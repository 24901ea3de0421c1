// What runs where: version, instruction set, threads.
#pragma once

#include <string>
#include <vector>

#include "weft/export.h"

namespace weft {

WEFT_API const char* version();

/// The compiled instruction sets that this processor and operating system can run, slowest first.
WEFT_API std::vector<std::string> available_isas();

/// The instruction set in use: the fastest available, or the one that the environment variable WEFT_ISA
/// names. Throws BadArgument if that one is not available.
WEFT_API std::string isa();

/// Its index among the compiled instruction sets: what RecurrentArguments::isa takes.
WEFT_API int isa_place();

/// Switches all threads to that instruction set. Calls under way finish on the one that they began with.
/// Throws BadArgument if it is not available.
WEFT_API void set_isa(const std::string& name);

/// The number of threads that a call may use: WEFT_NUM_THREADS if it is set, else OMP_NUM_THREADS, else the
/// number of processors that this process may run on and that its control group's quota allows; at most 1024.
/// A call takes fewer where more would not help: where its work is small, or other processes use the
/// processors.
WEFT_API int num_threads();

/// Throws BadArgument unless threads >= 1. More than 1024 count as 1024.
WEFT_API void set_num_threads(int threads);

}  // namespace weft
