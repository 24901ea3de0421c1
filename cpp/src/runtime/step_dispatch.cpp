// The tables of a step's kernels.
#include "src/runtime/step_dispatch.hpp"

#include "src/runtime/isa.hpp"

namespace weft {

const StepTable& current_step_table() {
  static constexpr const StepTable* tables[] = {
      &baseline::step_table,
#ifdef WEFT_HAVE_AVX2
      &avx2::step_table,
#endif
#ifdef WEFT_HAVE_AVX512
      &avx512::step_table,
#endif
  };
  return *tables[current_isa()];
}

}  // namespace weft
