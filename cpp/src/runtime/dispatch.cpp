// The tables of all families.
#include "src/runtime/dispatch.hpp"

namespace weft {

const KernelTable& table_of(int isa) {
  static constexpr const KernelTable* tables[] = {
      &baseline::table,
#ifdef WEFT_HAVE_AVX2
      &avx2::table,
#endif
#ifdef WEFT_HAVE_AVX512
      &avx512::table,
#endif
  };
  return *tables[isa];
}
const KernelTable& current_table() { return table_of(current_isa()); }

}  // namespace weft
