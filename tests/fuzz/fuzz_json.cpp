// Any bytes as JSON: refused with an error, or every value in them can be read.
#include <cstddef>
#include <cstdint>

#include "visit_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    const weft::Json value = weft::Json::parse({reinterpret_cast<const char*>(bytes), size});
    weft::test::visit(value);
    weft::Json::parse(value.text());
  } catch (const weft::BadFile&) {
  }
  return 0;
}
