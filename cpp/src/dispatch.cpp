// The tables of all families.
#include "dispatch.hpp"

#include "isa.hpp"

namespace weft {

const KernelTable& current_table() {
  static constexpr const KernelTable* tables[] = {
      &baseline::table,
#ifdef WEFT_HAVE_AVX2
      &avx2::table,
#endif
#ifdef WEFT_HAVE_AVX512
      &avx512::table,
#endif
  };
  return *tables[current_isa()];
}

}  // namespace weft
