// Numbers below the normal ones count as zero while this lives: a state that fades away would else take the
// processor a hundred times as long.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace weft {

class FlushDenormals {
 public:
  FlushDenormals() noexcept : before_(read()) {
    if ((before_ & flags) != flags) write(before_ | flags);
  }
  ~FlushDenormals() {
    if ((before_ & flags) != flags) write(before_);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  using Register = unsigned;
  static constexpr Register flags = 0x8040;  // flush to zero; denormals are zero
  static Register read() noexcept { return _mm_getcsr(); }
  static void write(Register value) noexcept { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Register = uint64_t;
  static constexpr Register flags = uint64_t(1) << 24;
  static Register read() noexcept {
    Register value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(Register value) noexcept { asm volatile("msr fpcr, %0" ::"r"(value)); }
#else
  using Register = unsigned;
  static constexpr Register flags = 0;
  static Register read() noexcept { return 0; }
  static void write(Register) noexcept {}
#endif

  const Register before_;
};

}  // namespace weft
