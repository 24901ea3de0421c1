// What happens before real time begins: loading a model from its file, making its first stream (which packs
// the weights) and the next ones, copying a stream, and taking over another's state, which is real time
// itself.
//
//   bench_load [--benchmark_filter=load/]
//
// Files lie in the system's cache: what a disk adds is not measured.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "model_cases.hpp"
#include "weft/model.hpp"

namespace {

/// Layers of GRU.
std::vector<std::byte> recurrent_file(int64_t layers, int64_t H) {
  using namespace weft::test;
  ModelFile<float> file;
  std::vector<std::string> nodes;
  for (int64_t layer = 0; layer < layers; ++layer)
    nodes.push_back(recurrent(file, std::to_string(layer), "gru", H, H));
  return file.with_graph(sequential(nodes));
}

std::vector<std::byte> gpt_file(int64_t layers, int64_t E, int64_t context) {
  using namespace weft::test;
  ModelFile<float> file;
  std::vector<std::string> nodes{
      op("embedding", entry("weight", file.weight("embedding", {256, E}))),
      op("learned_positions", entry("weight", file.weight("positions", {context, E})))};
  for (int64_t layer = 0; layer < layers; ++layer)
    nodes.push_back(transformer_layer(file, std::to_string(layer), E, E / 64, {}));
  nodes.push_back(linear(file, "head", E, 256));
  return file.with_graph(sequential(nodes), context);
}

/// A model in a file that is there as long as this is.
class Saved {
 public:
  Saved(const std::string& name, const std::vector<std::byte>& bytes)
      : path_(std::filesystem::temp_directory_path() / ("weft_bench_" + name + ".safetensors")),
        bytes_(bytes.size()) {
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  }
  ~Saved() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  double bytes() const { return double(bytes_); }

 private:
  std::filesystem::path path_;
  size_t bytes_;
};

std::vector<float> first_outputs(const weft::Model& model) {
  std::vector<float> y(size_t(model.outputs()));
  weft::Stream stream(model);
  if (model.takes_tokens())
    stream.step(1, y.data());
  else
    stream.step(std::vector<float>(size_t(model.inputs()), 0.5f).data(), y.data());
  return y;
}

using Action = void (*)(benchmark::State&, const Saved&);

void load(benchmark::State& state, const Saved& file) {
  for (auto _ : state) benchmark::DoNotOptimize(weft::Model::load(file.path()).outputs());
  state.counters["bytes/s"] = benchmark::Counter(file.bytes(), benchmark::Counter::kIsIterationInvariantRate);
}

void load_and_first_stream(benchmark::State& state, const Saved& file) {
  for (auto _ : state) benchmark::DoNotOptimize(weft::Stream(weft::Model::load(file.path())).bytes());
}

void next_stream(benchmark::State& state, const Saved& file) {
  const weft::Model model = weft::Model::load(file.path());
  const weft::Stream first(model);
  for (auto _ : state) benchmark::DoNotOptimize(weft::Stream(model).bytes());
  state.counters["stream's bytes"] = double(first.bytes());
}

void copy(benchmark::State& state, const Saved& file) {
  const weft::Stream first(weft::Model::load(file.path()));
  for (auto _ : state) benchmark::DoNotOptimize(weft::Stream(first).bytes());
}

void assign(benchmark::State& state, const Saved& file) {
  const weft::Stream first(weft::Model::load(file.path()));
  weft::Stream second(first);
  for (auto _ : state) benchmark::DoNotOptimize(second.assign(first));
}

void register_model(const std::string& name, const std::vector<std::byte>& bytes) {
  const auto file = std::make_shared<Saved>(name, bytes);
  weft::test::check_same_bits(first_outputs(weft::Model::load(file->path())),
                              first_outputs(weft::Model::parse(bytes)),
                              name + ": from a file and from memory");
  const std::pair<const char*, Action> actions[] = {{"load", load},
                                                    {"load_and_first_stream", load_and_first_stream},
                                                    {"next_stream", next_stream},
                                                    {"copy", copy},
                                                    {"assign", assign}};
  for (const auto& [what, action] : actions)
    benchmark::RegisterBenchmark((std::string(what) + "/" + name).c_str(), [action = action,
                                                                            file](benchmark::State& state) {
      action(state, *file);
    })->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  register_model("gru_1MB", recurrent_file(1, 209));
  register_model("gru_10MB", recurrent_file(1, 660));
  register_model("gru_100MB", recurrent_file(10, 660));
  register_model("gpt_13MB", gpt_file(4, 256, 1024));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();  // and with them the files
  return weft::test::failures();
}
