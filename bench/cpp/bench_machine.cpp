// What one core of this machine can do at most, as JSON for `compare.py --machine`.
//
//   bench_machine > machine.json
//
//   gflops    multiply-adds in registers, per instruction set and type
//   read_gbs  reading a large array, with the widest instructions
#include <cstdio>

#include "machine.hpp"

int main() {
  const auto isas = weft::available_isas();
  std::printf("{\n \"gflops\": {");
  for (size_t i = 0; i < isas.size(); ++i)
    std::printf("%s\n  \"%s\": {\"float32\": %.1f, \"float64\": %.1f}", i == 0 ? "" : ",", isas[i].c_str(),
                weft::bench::peak<float>(isas[i]) / 1e9, weft::bench::peak<double>(isas[i]) / 1e9);
  std::printf("\n },\n \"read_gbs\": %.1f\n}\n", weft::bench::read_bandwidth(isas.back()) / 1e9);
}
