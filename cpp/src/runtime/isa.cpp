// Chooses the instruction set: detected once, forced by WEFT_ISA, changed by set_isa.
#include "src/runtime/isa.hpp"

#include <atomic>
#include <cstdlib>

#include "instruction_sets.hpp"
#include "weft/config.hpp"
#include "weft/errors.hpp"

namespace weft {
namespace {

struct InstructionSet {
  const char* name;
  bool (*supported)();
};

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
#define WEFT_ENTRY(isa, supported, ...) {#isa, [] { return bool(supported); }},
const InstructionSet instruction_sets[] = {WEFT_INSTRUCTION_SETS(WEFT_ENTRY)};
constexpr int count = std::size(instruction_sets);

int find(const std::string& name, const char* asked_by) {
  std::string available;
  for (int i = 0; i < count; ++i) {
    if (!instruction_sets[i].supported()) continue;
    if (name == instruction_sets[i].name) return i;
    available += (available.empty() ? "" : ", ") + std::string(instruction_sets[i].name);
  }
  throw BadArgument(std::string(asked_by) + ": this machine offers " + available + ", got \"" + name + "\"");
}

std::atomic<int> chosen{-1};

}  // namespace

int current_isa() {
  int isa = chosen.load(std::memory_order_relaxed);
  if (isa >= 0) return isa;
  const char* forced = std::getenv("WEFT_ISA");
  if (forced != nullptr && *forced != '\0') {
    isa = find(forced, "WEFT_ISA");
  } else {
    for (int i = 0; i < count; ++i)
      if (instruction_sets[i].supported()) isa = i;
  }
  chosen.store(isa, std::memory_order_relaxed);
  return isa;
}

const char* isa_name(int isa) { return instruction_sets[isa].name; }
int isa_count() { return count; }
bool isa_is_available(int isa) { return instruction_sets[isa].supported(); }

const char* available_isa(int index) {
  for (const InstructionSet& candidate : instruction_sets)
    if (candidate.supported() && index-- == 0) return candidate.name;
  return nullptr;
}

const char* version() { return WEFT_VERSION; }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  while (const char* name = available_isa(int(names.size()))) names.emplace_back(name);
  return names;
}

std::string isa() { return isa_name(current_isa()); }
int isa_place() { return current_isa(); }

void set_isa(const std::string& name) {
  chosen.store(find(name, "set_isa: name"), std::memory_order_relaxed);
}

}  // namespace weft
