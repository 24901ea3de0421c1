// What one core can do at most: measured at the start of every program that reports a share of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "machine_isa.hpp"
#include "weft/config.hpp"

namespace weft::bench {

template <class T>
Limits<T> limits(const std::string& isa) {
#define WEFT_FIND(name, ...) \
  if (isa == #name) return machine_isa::name(T{});
  WEFT_INSTRUCTION_SETS(WEFT_FIND)
#undef WEFT_FIND
  throw std::invalid_argument("no limits are known for the instruction set " + isa);
}

/// Seconds of the shortest of several runs: a limit is what the machine does when nothing disturbs it.
template <class Run>
double shortest(int runs, const Run& run) {
  double best = 1e300;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Floating-point operations a second of one core; a multiply-add is two.
template <class T>
double peak(const std::string& isa) {
  const Limits<T> limit = limits<T>(isa);
  const int64_t rounds = 1'000'000;
  T sink[64];
  limit.multiply_add(rounds, sink);
  return double(limit.operations * rounds) / shortest(20, [&] { limit.multiply_add(rounds, sink); });
}

/// Bytes a second that one core reads from an array much larger than its caches.
inline double read_bandwidth(const std::string& isa) {
  const std::vector<float> data(size_t(128) << 20, 1.0f);
  const Limits<float> limit = limits<float>(isa);
  float sink[64];
  const double seconds = shortest(5, [&] { limit.read(data.data(), int64_t(data.size()), sink); });
  return double(data.size() * sizeof(float)) / seconds;
}

}  // namespace weft::bench
