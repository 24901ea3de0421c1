// What runs where: version, instruction set, threads.
#pragma once

#include <string>
#include <vector>

#include "weft/export.h"

namespace weft {

WEFT_API const char* version();

/// Instruction sets compiled in that this processor and operating system can run, slowest first.
WEFT_API std::vector<std::string> available_isas();

/// The one in use: the fastest available, or the one that the environment variable WEFT_ISA names.
/// Throws BadArgument where WEFT_ISA names one that is not available.
WEFT_API std::string isa();

/// Its place among those compiled in: what RecurrentArguments::isa takes.
WEFT_API int isa_place();

/// Use that instruction set from now on, in every thread; calls under way end on theirs. Throws
/// BadArgument if it is not available.
WEFT_API void set_isa(const std::string& name);

/// Threads that a call may use: WEFT_NUM_THREADS, else OMP_NUM_THREADS, else the processors that this process
/// may run on and its control group's quota pays for; at most 1024. A call takes fewer where they do not
/// help: its work is too small, or other processes have the processors.
WEFT_API int num_threads();

/// Throws BadArgument unless threads >= 1; more than 1024 are 1024.
WEFT_API void set_num_threads(int threads);

}  // namespace weft
