// The C interface: instruction sets and threads.
#include "weft/config.hpp"

#include "src/c/call.hpp"
#include "src/runtime/isa.hpp"

extern "C" {

const char* weft_version(void) { return weft::version(); }

const char* weft_available_isa(int32_t index) { return weft::available_isa(index); }

const char* weft_isa(void) {
  const char* name = nullptr;
  weft::c::guarded([&] { name = weft::isa_name(weft::current_isa()); });
  return name;
}

weft_status weft_set_isa(const char* name) {
  return weft::c::guarded([&] {
    if (name == nullptr) weft::fail("set_isa", "name must not be null");
    weft::set_isa(name);
  });
}

int32_t weft_num_threads(void) { return weft::num_threads(); }

weft_status weft_set_num_threads(int32_t threads) {
  return weft::c::guarded([&] { weft::set_num_threads(threads); });
}

}  // extern "C"
