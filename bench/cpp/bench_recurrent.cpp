// Every recurrent cell through the C++ interface, on one thread: inference, and training as forward and
// backward.
//
//   bench_recurrent [--benchmark_filter=train/lstm/] [WEFT_ISA=avx2 in the environment]
//
// Each cell is checked against the scalar reference before it is timed.
#include "recurrent_benchmark.hpp"

using namespace weft::bench;

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  const Size sizes[] = {{128, 32, 128, 256}, {35, 20, 650, 650},   {100, 64, 512, 512},
                        {256, 128, 64, 128}, {50, 16, 1024, 1024}, {1000, 1, 64, 64}};
  for (bool training : {false, true})
    for (const auto& cell : weft::test::referenced_cells())
      for (const auto& size : sizes)
        register_recurrent(weft::isa(), cell, size, training, benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  return weft::test::failures();
}
