// An instruction set that has its own dense kernels and takes all others from the baseline.
#include "check.hpp"
#include "src/runtime/dispatch.hpp"
#include "src/runtime/step_dispatch.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

template <class T>
void check_families(const weft::KernelTable& partial_table, const weft::KernelTable& base_table) {
  const weft::Kernels<T>&partial = weft::kernels<T>(partial_table), &base = weft::kernels<T>(base_table);
  check(partial.dense == &weft::partial::dense_kernels<T>, "the dense kernels are its own");
  check(partial.dense->linear_forward != base.dense->linear_forward, "compiled for it");
  check(partial.recurrent == base.recurrent && partial.pointwise == base.pointwise &&
            partial.loss == base.loss && partial.optim == base.optim && partial.attention == base.attention &&
            partial.additive_scores == base.additive_scores,
        "all others are its base's");
}

}  // namespace

int main() {
  const int last = weft::isa_count() - 1;
  check(weft::isa_name(last) == std::string("partial"), "it is the last of the list");
  check(weft::isa_is_available(last), "it runs where its base does");
  check_families<float>(weft::table_of(last), weft::table_of(0));
  check_families<double>(weft::table_of(last), weft::table_of(0));
  weft::set_isa("partial");
  check(&weft::current_step_table() == &weft::baseline::step_table, "a step's kernels are its base's");
  return failures();
}
