// exp, tanh and sigmoid of an array in the first-level cache, on every instruction set.
//
//   bench_math [--benchmark_filter=avx2/float32]
//
// Each is checked against the standard library in double before it is timed. "s/element" is what counts: 250p
// is a quarter of a nanosecond.
#include <benchmark/benchmark.h>

#include <cmath>
#include <limits>

#include "check.hpp"
#include "math_isa.hpp"

using namespace weft::bench;
using namespace weft::test;

namespace {

constexpr int64_t size = 1024;

template <class T>
void run(benchmark::State& state, typename Functions<T>::Function function, double (*expected)(double),
         const char* name) {
  std::vector<T> x(size), y(size);
  std::vector<double> right(size);
  for (int64_t i = 0; i < size; ++i) {
    x[i] = T(-8 + 16 * (double(i) + 0.5) / size);
    right[i] = expected(double(x[i]));
  }
  function(x.data(), size, y.data());
  check_close(y, right, 8 * std::numeric_limits<T>::epsilon(), 0, name);
  if (failures() != 0) return state.SkipWithError("the result is wrong");
  for (auto _ : state) {
    function(x.data(), size, y.data());
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  using benchmark::Counter;
  state.counters["s/element"] = Counter(size, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["bytes/s"] = Counter(2.0 * size * sizeof(T), Counter::kIsIterationInvariantRate);
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
void register_all(const std::string& type) {
  for (const auto& set : functions<T>()) {
    const auto add = [&](const char* name, typename Functions<T>::Function function,
                         double (*expected)(double)) {
      benchmark::RegisterBenchmark((set.isa + ("/" + type) + "/" + name).c_str(),
                                   [=](benchmark::State& state) { run<T>(state, function, expected, name); });
    };
    add("exp", set.exp, std::exp);
    add("tanh", set.tanh, std::tanh);
    add("sigmoid", set.sigmoid, sigmoid);
  }
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  register_all<float>("float32");
  register_all<double>("float64");
  benchmark::RunSpecifiedBenchmarks();
  return failures();
}
