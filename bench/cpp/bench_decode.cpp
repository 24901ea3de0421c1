// Decoding on one thread: a GPT that reads one token at a time through a stream, and the attention kernel
// alone, with one query, over as many keys.
//
//   bench_decode [--benchmark_filter=gpt/] [WEFT_ISA=avx2 in the environment]
//
// The time of an iteration is that of one token. Bytes are what must be read: weights, keys and values. The
// stream is checked against the whole sequence before it is timed.
#include <algorithm>
#include <chrono>

#include "attention_call.hpp"
#include "model_cases.hpp"
#include "rates.hpp"
#include "weft/model.hpp"

using weft::test::AttentionSize;

namespace {

struct GPTSize {
  int64_t layers, E, heads, kv_heads;
};

constexpr int64_t vocabulary = 256, ahead = 32;  // tokens that are timed together, so that the clock is cheap

weft::Model make_gpt(const GPTSize& size) {
  using namespace weft::test;
  ModelFile<float> file;
  const std::string rotary = "{\"kind\":\"rotary\",\"dim\":" + std::to_string(size.E / size.heads) +
                             ",\"base\":10000.0,\"interleaved\":false}";
  std::vector<std::string> nodes{op("embedding", entry("weight", file.weight("e", {vocabulary, size.E}, 1)))};
  for (int64_t layer = 0; layer < size.layers; ++layer)
    nodes.push_back(transformer_layer(file, std::to_string(layer), size.E, size.heads,
                                      {.kv_heads = size.kv_heads, .positions = rotary}));
  nodes.insert(nodes.end(), {layer_norm(file, "norm", size.E), linear(file, "head", size.E, vocabulary)});
  return weft::Model::parse(file.with_graph(sequential(nodes)));
}

/// Weights that a token's products read, without the embedding's other rows.
double weight_bytes(const GPTSize& size) {
  const double E = double(size.E), D = E / double(size.heads);
  const double attention = double(size.heads + 2 * size.kv_heads) * D * E + E * E;
  return sizeof(float) * (double(size.layers) * (attention + 8 * E * E) + E * double(vocabulary));
}

double cache_bytes(const GPTSize& size, int64_t keys) {
  return sizeof(float) * 2.0 * double(size.layers * keys * size.kv_heads * (size.E / size.heads));
}

std::vector<int64_t> tokens(int64_t count) {
  std::vector<int64_t> result;
  for (double number : weft::test::random_numbers<double>(count, 3))
    result.push_back(int64_t((number + 1) / 2 * double(vocabulary)));
  return result;
}

bool is_right(const weft::Model& model) {
  const int64_t steps = 70;
  const auto text = tokens(steps);
  std::vector<float> whole(size_t(steps * vocabulary)), stepped(whole.size());
  model.run(weft::View<const int64_t, 2>(text.data(), {1, steps}), {whole.data(), {1, steps, vocabulary}});
  weft::Stream stream(model, steps);
  if (stream.process(text.data(), stepped.data(), steps) != weft::Status::ok) return false;
  weft::test::check_close(stepped, whole, 1e-5, 1.0, "gpt, steps");
  return weft::test::failures() == 0;
}

/// Steps at a cache of about `keys`: a stream that has so many is copied over the one that went on.
void run_gpt(benchmark::State& state, const GPTSize& size, int64_t keys) {
  const weft::Model model = make_gpt(size);
  if (!is_right(model)) return state.SkipWithError("the result is wrong");
  const auto text = tokens(keys + ahead);
  const int64_t before = keys - ahead / 2;
  std::vector<float> y(static_cast<size_t>(vocabulary));
  weft::Stream filled(model, keys + ahead);
  for (int64_t i = 0; i < before; ++i) filled.step(text[size_t(i)], y.data());
  weft::Stream stream(filled);
  double seconds = 0;
  while (state.KeepRunningBatch(ahead)) {
    stream.assign(filled);
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = before; i < before + ahead; ++i) stream.step(text[size_t(i)], y.data());
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    seconds += elapsed;
    state.SetIterationTime(elapsed);
  }
  const double bytes = weight_bytes(size) + cache_bytes(size, keys);
  state.counters["bytes/s"] = bytes * double(state.iterations()) / seconds;
  state.counters["us/token"] = 1e6 * seconds / double(state.iterations());
}

/// The kernel of whole sequences, with one query.
void run_kernel(benchmark::State& state, const GPTSize& size, int64_t keys) {
  weft::set_num_threads(1);
  const int64_t D = size.E / size.heads;
  weft::test::AttentionCall<float> call({1, size.heads, size.kv_heads, 1, keys, D, D});
  const double pairs = double(size.heads * keys),
               bytes = 2.0 * double(size.kv_heads * keys * D) * sizeof(float);
  weft::bench::run_loop<float>(state, weft::isa(), 4 * pairs * double(D), bytes, [&] { call.forward(); });
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  for (const GPTSize& size : {GPTSize{4, 256, 4, 4}, {4, 256, 4, 1}, {8, 512, 8, 8}})
    for (int64_t keys : {64, 256, 1024, 4096}) {
      const std::string name = std::to_string(size.layers) + "," + std::to_string(size.E) + "," +
                               std::to_string(size.heads) + "," + std::to_string(size.kv_heads) + "/" +
                               std::to_string(keys) + " keys";
      benchmark::RegisterBenchmark((weft::isa() + "/gpt/" + name).c_str(),
                                   [=](benchmark::State& state) { run_gpt(state, size, keys); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
      if (size.layers > 4) continue;
      benchmark::RegisterBenchmark((weft::isa() + "/kernel/" + name).c_str(), [=](benchmark::State& state) {
        run_kernel(state, size, keys);
      })->Unit(benchmark::kMicrosecond);
    }
  benchmark::RunSpecifiedBenchmarks();
  return weft::test::failures();
}
