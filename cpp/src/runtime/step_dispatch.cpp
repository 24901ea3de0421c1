// The tables of a step's kernels.
#include "src/runtime/step_dispatch.hpp"

#include "src/runtime/isa.hpp"

namespace weft {

const StepTable& current_step_table() {
#define WEFT_TABLE(isa, supported, recurrent, dense, pointwise, loss, optim, attention, step) \
  &step::step_table,
  static constexpr const StepTable* tables[] = {WEFT_INSTRUCTION_SETS(WEFT_TABLE)};
  return *tables[current_isa()];
}

}  // namespace weft
