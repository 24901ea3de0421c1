// One step of every recurrent cell through the C++ interface, on one thread and on every instruction set:
// inference, and training as forward and backward. This is what a loop of one's own over time pays a step,
// with the weights put into the kernels' order at every call.
//
//   bench_cell [--benchmark_filter=avx512/infer/lstm/]
//
// Each cell is checked against the scalar reference before it is timed.
#include "recurrent_benchmark.hpp"

using namespace weft::bench;

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  const Size steps[] = {{1, 1, 64, 64}, {1, 16, 64, 128}, {1, 32, 128, 256}};
  for (const std::string& isa : weft::available_isas())
    for (bool training : {false, true})
      for (const auto& cell : weft::test::referenced_cells())
        for (const auto& size : steps) register_recurrent(isa, cell, size, training, benchmark::kMicrosecond);
  benchmark::RunSpecifiedBenchmarks();
  return weft::test::failures();
}
