// Every recurrent cell through the C++ interface, on one thread: inference, and training as forward and
// backward.
//
//   bench_recurrent [--benchmark_filter=train/lstm/] [WEFT_ISA=avx2 in the environment]
//
// Before it is timed, each cell is checked at the same widths, on fewer rows and steps, against the scalar
// reference: outputs, and gradients along a direction.
#include <benchmark/benchmark.h>

#include "recurrent_call.hpp"
#include "recurrent_reference.hpp"

using namespace weft::test;

namespace {

constexpr Size sizes[] = {{128, 32, 128, 256}, {256, 128, 64, 128}, {1000, 1, 64, 64}};
constexpr Options plain{.name = "plain"};

void check_cell(const weft::RecurrentCellInfo& cell, const Size& size) {
  const Problem p = make_problem(cell, plain, {2, 3, size.I, size.H});
  const Outcome<double> douts = make_douts(p), expected = reference(p, p.tensors);
  RecurrentCall<float> call(p, douts, {});
  call.forward();
  call.backward();
  check_close(call.out().y, expected.y, 2e-6, 1.0, p.cell + ": y");
  for (Tensor tensor : {X, W_HH}) {
    const auto direction = random_numbers<double>(int64_t(p.tensors[tensor].size()), 3);
    const auto gradient = call.gradients()[tensor];
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < direction.size(); ++i) {
      sum += double(gradient[i]) * direction[i];
      magnitude += std::abs(double(gradient[i]) * direction[i]);
    }
    check_close(std::vector<double>{sum}, std::vector<double>{derivative(p, douts, tensor, direction)}, 2e-6,
                magnitude, p.cell + ": d" + tensor_names[tensor]);
  }
}

void run(benchmark::State& state, const weft::RecurrentCellInfo& cell, const Size& size, bool training) {
  check_cell(cell, size);
  if (failures() != 0) return state.SkipWithError("the result is wrong");
  const Problem p = make_problem(cell, plain, size);
  RecurrentCall<float> call(p, make_douts(p), {});
  for (auto _ : state) {
    if (!training) {
      call.infer();
      continue;
    }
    call.forward();
    call.backward();
  }
  const double forward = 2.0 * double(p.T) * double(p.B) * double(p.gates) * double(p.H) * double(p.I + p.H);
  state.counters["FLOP/s"] =
      benchmark::Counter(training ? 3 * forward : forward, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  for (bool training : {false, true})
    for (const auto& cell : referenced_cells())
      for (const auto& size : sizes) {
        const std::string name = (training ? "train/" : "infer/") + cell.name + "/" + std::to_string(size.T) +
                                 "," + std::to_string(size.B) + "," + std::to_string(size.I) + "," +
                                 std::to_string(size.H);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          run(state, cell, size, training);
        })->Unit(benchmark::kMillisecond);
      }
  benchmark::RunSpecifiedBenchmarks();
  return failures();
}
