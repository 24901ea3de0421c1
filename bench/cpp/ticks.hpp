// A clock of a few nanoseconds: the processor's own counter, in its ticks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weft::bench {

/// Everything before it has been done, and nothing after it has begun.
inline uint64_t ticks() {
#if defined(__x86_64__)
  _mm_lfence();
  const uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
#elif defined(__aarch64__)
  uint64_t now;
  asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(now)::"memory");
  return now;
#else
  return uint64_t(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// Nanoseconds of a tick, by the steady clock over a twentieth of a second.
inline double nanoseconds_of_tick() {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const uint64_t first = ticks();
  while (Clock::now() - start < std::chrono::milliseconds(50)) {
  }
  const uint64_t last = ticks();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / double(last - first);
}

/// What the clock itself takes: the median of many readings with nothing in between.
inline double nanoseconds_of_nothing() {
  std::vector<uint64_t> samples(100'001);
  for (uint64_t& sample : samples) {
    const uint64_t start = ticks();
    sample = ticks() - start;
  }
  std::nth_element(samples.begin(), samples.begin() + 50'000, samples.end());
  return double(samples[50'000]) * nanoseconds_of_tick();
}

}  // namespace weft::bench
