// The counters of a benchmark: operations and bytes a second, and the share of the core's measured peak.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <map>
#include <string>

#include "machine.hpp"

namespace weft::bench {

/// peak<T>, measured once.
template <class T>
double measured_peak(const std::string& isa) {
  static std::map<std::string, double> peaks;
  const auto found = peaks.find(isa);
  return found != peaks.end() ? found->second : peaks.emplace(isa, peak<T>(isa)).first->second;
}

/// Runs the benchmark's loop. Of one iteration: floating-point operations of products, and bytes that must
/// move from or to memory.
template <class T, class Run>
void run_loop(::benchmark::State& state, const std::string& isa, double operations, double bytes,
              const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto rate = [](double amount) {
    return ::benchmark::Counter(amount, ::benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["FLOP/s"] = rate(operations);
  state.counters["bytes/s"] = rate(bytes);
  const double achieved = operations * double(state.iterations()) / seconds;
  state.counters["% of peak"] = 100 * achieved / measured_peak<T>(isa);
}

}  // namespace weft::bench
