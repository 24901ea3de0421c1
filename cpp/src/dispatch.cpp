// Chooses the kernel table: detected once, forced by WEFT_ISA, changed by set_isa.
#include "dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "weft/config.hpp"

namespace weft {
namespace {

struct Implementation {
  const KernelTable* table;
  bool (*supported)();
};

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
#if defined(__x86_64__)
bool supports_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool supports_avx512() {
  return supports_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

const Implementation implementations[] = {
    {&baseline::table, [] { return true; }},
#ifdef WEFT_HAVE_AVX2
    {&avx2::table, supports_avx2},
#endif
#ifdef WEFT_HAVE_AVX512
    {&avx512::table, supports_avx512},
#endif
};

const KernelTable& find(const std::string& name, const char* asked_by) {
  std::string available;
  for (const auto& candidate : implementations) {
    if (!candidate.supported()) continue;
    if (name == candidate.table->isa) return *candidate.table;
    available += (available.empty() ? "" : ", ") + std::string(candidate.table->isa);
  }
  throw std::invalid_argument(std::string(asked_by) + ": this machine offers " + available + ", got \"" +
                              name + "\"");
}

std::atomic<const KernelTable*> chosen{nullptr};

}  // namespace

const KernelTable& current_table() {
  if (const KernelTable* table = chosen.load(std::memory_order_acquire)) return *table;
  const char* forced = std::getenv("WEFT_ISA");
  const KernelTable* table = nullptr;
  if (forced != nullptr && *forced != '\0') {
    table = &find(forced, "WEFT_ISA");
  } else {
    for (const auto& candidate : implementations)
      if (candidate.supported()) table = candidate.table;
  }
  chosen.store(table, std::memory_order_release);
  return *table;
}

const char* version() { return WEFT_VERSION; }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const auto& candidate : implementations)
    if (candidate.supported()) names.emplace_back(candidate.table->isa);
  return names;
}

std::string isa() { return current_table().isa; }

void set_isa(const std::string& name) {
  chosen.store(&find(name, "set_isa: name"), std::memory_order_release);
}

}  // namespace weft
