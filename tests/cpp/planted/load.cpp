// What the symbol gate must catch: a variable whose value is computed when the library is loaded.
#include <cstdlib>

namespace weft::WEFT_ISA {

extern const int planted;
const int planted = std::atoi("42");

}  // namespace weft::WEFT_ISA
