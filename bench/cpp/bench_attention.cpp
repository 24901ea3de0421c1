// Attention through the C++ interface, on one thread: the forward alone, and training as forward and
// backward.
//
//   bench_attention [--benchmark_filter=train/.*causal] [WEFT_ISA=avx2 in the environment]
//
// Operations are those of the products of queries and keys that see each other: two forward, five backward. A
// shape is checked, with fewer rows, against plain loops before it is timed.
#include <array>

#include "attention_call.hpp"
#include "rates.hpp"

using namespace weft::bench;
using weft::test::AttentionSize;

namespace {

/// The same widths and options with two heads, and as many queries and keys as plain loops can take.
AttentionSize smaller(AttentionSize size) {
  size.B = 1, size.N = size.Nk = 2;
  size.T = std::min<int64_t>(size.T, 100), size.S = std::min<int64_t>(size.S, 150);
  size.left = std::min<int64_t>(size.left, 30);
  return size;
}

bool is_right(const AttentionSize& size) {
  weft::test::AttentionCall<float> call(smaller(size));
  call.forward();
  call.backward();
  const auto results = call.results();
  const auto expected = weft::test::attention_reference<float>(smaller(size));
  for (size_t i = 0; i < results.size(); ++i)
    weft::test::check_close(results[i], expected[i], 2e-6, 1.0, "attention, result " + std::to_string(i));
  return weft::test::failures() == 0;
}

void run(benchmark::State& state, const AttentionSize& size, bool training) {
  weft::set_num_threads(1);
  if (!is_right(size)) return state.SkipWithError("the result is wrong");
  weft::test::AttentionCall<float> call(size);
  const double product = 2 * size.pairs() * double(size.D);
  const double rows = 2.0 * double(size.B * size.N * (size.T + size.S)) * double(size.D) * sizeof(float);
  if (!training) return run_loop<float>(state, weft::isa(), 2 * product, rows, [&] { call.forward(); });
  run_loop<float>(state, weft::isa(), 7 * product, 2 * rows, [&] {
    call.forward();
    call.backward();
  });
}

void register_attention(const std::string& name, const AttentionSize& size, bool training) {
  const std::string sizes = std::to_string(size.B) + "," + std::to_string(size.N) + "," +
                            std::to_string(size.T) + "," + std::to_string(size.D);
  const std::string full = weft::isa() + (training ? "/train/" : "/infer/") + sizes + name;
  benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& state) {
    run(state, size, training);
  })->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  for (bool training : {false, true}) {
    for (const auto& [B, N, T, D] :
         {std::array<int64_t, 4>{8, 8, 512, 64}, {1, 8, 4096, 64}, {32, 4, 128, 32}})
      register_attention("", {B, N, N, T, T, D, D}, training);
    for (const auto& [B, N, T, D] :
         {std::array<int64_t, 4>{8, 8, 512, 64}, {4, 16, 256, 128}, {1, 12, 1024, 64}, {1, 8, 4096, 64}})
      register_attention("/causal", {B, N, N, T, T, D, D, -1, 0}, training);
    register_attention("/window", {1, 8, 8, 4096, 4096, 64, 64, 256, 0}, training);
  }
  register_attention("/8192 keys", {8, 8, 8, 1, 8192, 64, 64}, false);
  benchmark::RunSpecifiedBenchmarks();
  return weft::test::failures();
}
