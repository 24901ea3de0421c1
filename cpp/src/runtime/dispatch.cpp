// The tables of all families: an instruction set's own, and those of its base where it has none.
#include "src/runtime/dispatch.hpp"

namespace weft {

const KernelTable& table_of(int isa) {
#define WEFT_KERNELS(T, recurrent_kernels, dense, pointwise, loss, optim, attention) \
  {&recurrent_kernels,                                                               \
   &dense::dense_kernels<T>,                                                         \
   &pointwise::pointwise_kernels<T>,                                                 \
   &loss::loss_kernels<T>,                                                           \
   &optim::optim_kernels<T>,                                                         \
   &attention::attention_kernels<T>,                                                 \
   &attention::additive_scores_kernels<T>}
#define WEFT_TABLE(isa, supported, recurrent, dense, pointwise, loss, optim, attention, step) \
  {WEFT_KERNELS(float, recurrent::recurrent_f32, dense, pointwise, loss, optim, attention),   \
   WEFT_KERNELS(double, recurrent::recurrent_f64, dense, pointwise, loss, optim, attention)},
  static constexpr KernelTable tables[] = {WEFT_INSTRUCTION_SETS(WEFT_TABLE)};
  return tables[isa];
}
const KernelTable& current_table() { return table_of(current_isa()); }

}  // namespace weft
