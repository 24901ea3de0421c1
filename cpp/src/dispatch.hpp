// The table of kernels in use.
#pragma once

#include "kernels/table.hpp"

namespace weft {

const KernelTable& current_table();

}  // namespace weft
