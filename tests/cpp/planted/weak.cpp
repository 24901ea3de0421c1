// What the symbol gate must catch: a standard-library template, weak and shared by all instruction sets.
#include <vector>

namespace weft::WEFT_ISA {

std::vector<float> planted(int size) { return std::vector<float>(size, 1.0f); }

}  // namespace weft::WEFT_ISA
