// The whole test framework: a test program calls check functions and returns failures().
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "weft/errors.hpp"

namespace weft::test {

/// What a program returns to say "not on this machine"; CTest is told so by SKIP_RETURN_CODE.
inline constexpr int skipped = 77;

inline int& failure_count() {
  static int count = 0;
  return count;
}

/// The exit code of a test program.
inline int failures() {
  if (failure_count() > 0) std::fprintf(stderr, "%d checks failed\n", failure_count());
  return failure_count() > 0 ? 1 : 0;
}

inline void check(bool holds, const std::string& what, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (holds) return;
  // A broken kernel breaks in a thousand places; the first few tell.
  if (++failure_count() <= 20) std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

/// |actual - expected| <= tolerance * (scale + |expected|) for every element; `scale` is the size of the
/// terms that cancelled to give a small result. NaN fails.
template <class T, class U>
void check_close(const std::vector<T>& actual, const std::vector<U>& expected, double tolerance, double scale,
                 const std::string& what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  check(actual.size() == expected.size(), what + ": sizes differ", file, line);
  size_t worst = 0;
  double excess = 0;
  bool close = true;
  for (size_t i = 0; i < actual.size() && i < expected.size(); ++i) {
    const double error = std::abs(double(actual[i]) - double(expected[i]));
    const double allowed = tolerance * (scale + std::abs(double(expected[i])));
    if (error <= allowed) continue;
    if (close || !(error / allowed <= excess)) worst = i, excess = error / allowed;
    close = false;
  }
  if (close) return;
  check(false,
        what + ": element " + std::to_string(worst) + " is " + std::to_string(double(actual[worst])) +
            ", expected " + std::to_string(double(expected[worst])) + ", off by " + std::to_string(excess) +
            " tolerances",
        file, line);
}

/// Equal to the bit; NaN equals NaN of the same bits.
template <class T>
void check_same_bits(const std::vector<T>& actual, const std::vector<T>& expected, const std::string& what,
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const bool same =
      actual.size() == expected.size() &&
      (actual.empty() || __builtin_memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)) == 0);
  check(same, what + ": not the same bits", file, line);
}

/// `action()` throws an Error whose message contains every one of `parts`.
template <class Error, class Action>
void check_throws(const Action& action, const std::vector<std::string>& parts,
                  const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  try {
    action();
  } catch (const Error& error) {
    for (const auto& part : parts)
      check(std::string(error.what()).find(part) != std::string::npos,
            "the message \"" + std::string(error.what()) + "\" lacks \"" + part + "\"", file, line);
    return;
  }
  check(false, "nothing was thrown", file, line);
}
template <class Action>
void check_invalid(const Action& action, const std::vector<std::string>& parts,
                   const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  check_throws<weft::BadArgument>(action, parts, file, line);
}

/// Numbers in [-bound, bound), the same on every machine (splitmix64).
template <class T>
std::vector<T> random_numbers(int64_t size, uint64_t seed, double bound = 1.0) {
  std::vector<T> numbers(static_cast<size_t>(size));
  uint64_t state = seed * 0x9E3779B97F4A7C15u;
  for (T& number : numbers) {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    number = T((double(z >> 11) * 0x1p-52 - 1.0) * bound);
  }
  return numbers;
}

}  // namespace weft::test
