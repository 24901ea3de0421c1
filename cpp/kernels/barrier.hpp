// How threads wait for each other where it happens too often for the operating system. Those who wait spin,
// and after a while give their processor away, since another may need it to arrive.
#pragma once

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#endif

#include "isa.hpp"

namespace weft::WEFT_ISA {

class Patience {
 public:
  void wait() { ++spins_ <= spins ? relax() : give_way(); }

 private:
  static constexpr int spins = 1000;  // tens of microseconds

  static void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  static void give_way() {
#if defined(__unix__) || defined(__APPLE__)
    sched_yield();
#endif
  }

  int spins_ = 0;
};

/// A barrier for the threads of one team: a counter and a turn on a cache line of their own.
class alignas(64) Barrier {
 public:
  /// All `size` threads of the team arrive before any leaves, and see what the others wrote before.
  void wait(int size) {
    if (size <= 1) return;
    const unsigned turn = __atomic_load_n(&turn_, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == size) {
      __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
      __atomic_store_n(&turn_, turn + 1, __ATOMIC_RELEASE);
      return;
    }
    Patience patience;
    while (__atomic_load_n(&turn_, __ATOMIC_ACQUIRE) == turn) patience.wait();
  }

 private:
  int arrived_ = 0;
  unsigned turn_ = 0;
};

}  // namespace weft::WEFT_ISA
