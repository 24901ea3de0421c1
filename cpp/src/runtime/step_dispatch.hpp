// The table of a step's kernels in use: of streams, which link no other.
#pragma once

#include "kernels/step/step_table.hpp"

namespace weft {

const StepTable& current_step_table();

}  // namespace weft
