// The table of kernels in use.
#pragma once

#include <algorithm>

#include "kernels/table.hpp"
#include "src/runtime/isa.hpp"

namespace weft {

const KernelTable& current_table();
const KernelTable& table_of(int isa);

/// The largest size(table) of the instruction sets of this machine. Workspaces are that large, since
/// set_isa() may choose another set between the question and the call.
template <class Size>
auto largest_size(const Size& size) {
  auto largest = size(table_of(0));
  for (int isa = 1; isa < isa_count(); ++isa)
    if (isa_is_available(isa)) largest = std::max(largest, size(table_of(isa)));
  return largest;
}

}  // namespace weft
