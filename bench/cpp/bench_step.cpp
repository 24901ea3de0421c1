// Steps in real time: layers of LSTM or GRU and a dense output, one number in, one number out, through a
// stream.
//
//   bench_step [--benchmark_filter='lstm/16/1/'] [WEFT_ISA=avx2 in the environment]
//
// Names are cell/units/layers/what:
//
//   step      a call a step, in a loop: what a step takes on average
//   process   a call for 64 steps, likewise
//   single    a million calls, each between two readings of the clock: median, p99, p99.9 and max, in
//             nanoseconds. What the clock itself takes is included, and said beside them.
//
// GB/s are those of the weights, each read once a step; beside them what the machine reads from its
// second-level cache. `reference` is a dot product of 4096 numbers: machines differ, and it says by how much.
// The stream is checked against the whole sequence before it is timed.
#include <unistd.h>

#include <algorithm>

#include "model_cases.hpp"
#include "rates.hpp"
#include "ticks.hpp"
#include "weft/model.hpp"

namespace {

struct StepSize {
  std::string cell;
  int64_t units, layers;

  int64_t gates() const { return cell == "lstm" ? 4 : 3; }
  int64_t inputs_of(int64_t layer) const { return layer == 0 ? 1 : units; }
  /// Weights and biases, and those of the dense layer.
  double bytes() const {
    double numbers = double(units + 1);
    for (int64_t layer = 0; layer < layers; ++layer)
      numbers += double(gates() * units * (inputs_of(layer) + units + 1));
    return numbers * sizeof(float);
  }
};

constexpr int64_t block = 64, inputs = 1024;

weft::Model make_model(const StepSize& size) {
  using namespace weft::test;
  ModelFile<float> file;
  const double bound = 1 / std::sqrt(double(size.units));
  std::vector<std::string> nodes;
  for (int64_t layer = 0; layer < size.layers; ++layer) {
    const std::string name = std::to_string(layer);
    const auto weight = [&](const char* key, const std::vector<int64_t>& shape) {
      return entry(key, file.weight(key + name, shape, bound));
    };
    const int64_t rows = size.gates() * size.units;
    nodes.push_back(op("recurrent", entry("cell", quoted(size.cell)) +
                                        weight("w_ih", {rows, size.inputs_of(layer)}) +
                                        weight("w_hh", {rows, size.units}) + weight("b_ih", {rows}) +
                                        weight("b_hh", {rows})));
  }
  nodes.push_back(linear(file, "dense", size.units, 1));
  return weft::Model::parse(file.with_graph(sequential(nodes)));
}

/// Numbers for a stream to read, and what it answers.
struct Signal {
  std::vector<float> x = weft::test::random_numbers<float>(inputs, 1), y = std::vector<float>(inputs);
};

bool is_right(const weft::Model& model) {
  const int64_t steps = 24;
  Signal stepped, whole;
  weft::Stream stream(model);
  for (int64_t i = 0; i < steps; ++i) stream.step(&stepped.x[size_t(i)], &stepped.y[size_t(i)]);
  model.run({whole.x.data(), {1, steps, 1}}, {whole.y.data(), {1, steps, 1}});
  stepped.y.resize(steps), whole.y.resize(steps);
  weft::test::check_close(stepped.y, whole.y, 1e-5, 1.0, "steps");
  return weft::test::failures() == 0;
}

/// What one core reads from half of its second-level cache, in bytes a second; measured once.
double l2_bandwidth() {
  static const double bandwidth = [] {
    const long size = sysconf(_SC_LEVEL2_CACHE_SIZE);
    const std::vector<float> data(size_t(size > 0 ? size : 1 << 20) / 2 / sizeof(float), 1.0f);
    const auto limit = weft::bench::limits<float>(weft::isa());
    float sink[64];
    const int rounds = 20;
    const double seconds = weft::bench::shortest(200, [&] {
      for (int i = 0; i < rounds; ++i) limit.read(data.data(), int64_t(data.size()), sink);
    });
    return rounds * double(data.size() * sizeof(float)) / seconds;
  }();
  return bandwidth;
}

void run_loop(benchmark::State& state, const StepSize& size, int64_t at_once) {
  const weft::Model model = make_model(size);
  if (!is_right(model)) return state.SkipWithError("the result is wrong");
  weft::Stream stream(model);
  Signal signal;
  int64_t i = 0;
  const auto start = std::chrono::steady_clock::now();
  while (state.KeepRunningBatch(block)) {
    if (at_once == 1)
      for (int64_t end = i + block; i < end; ++i) stream.step(&signal.x[size_t(i)], &signal.y[size_t(i)]);
    else
      stream.process(&signal.x[size_t(i)], &signal.y[size_t(i)], block), i += block;
    i %= inputs;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = size.bytes() * double(state.iterations()) / seconds;
  state.counters["GB/s"] = rate / 1e9;
  state.counters["% of L2"] = 100 * rate / l2_bandwidth();
}

/// A million calls of step(i), each timed by itself.
template <class Step>
void time_each(benchmark::State& state, const Step& step) {
  const int64_t steps = 1'000'000;
  std::vector<uint32_t> samples(size_t(steps), 1);  // written, so that no step meets a new page
  for (auto _ : state)
    for (int64_t i = 0; i < steps; ++i) {
      const uint64_t start = weft::bench::ticks();
      step(i);
      samples[size_t(i)] = uint32_t(weft::bench::ticks() - start);
    }
  std::sort(samples.begin(), samples.end());
  const double tick = weft::bench::nanoseconds_of_tick();
  const auto quantile = [&](double q) { return tick * samples[size_t(q * double(steps - 1))]; };
  state.counters["median"] = quantile(0.5);
  state.counters["p99"] = quantile(0.99);
  state.counters["p99.9"] = quantile(0.999);
  state.counters["max"] = quantile(1);
  state.counters["clock"] = weft::bench::nanoseconds_of_nothing();
}

void run_single(benchmark::State& state, const StepSize& size) {
  const weft::Model model = make_model(size);
  if (!is_right(model)) return state.SkipWithError("the result is wrong");
  weft::Stream stream(model);
  Signal signal;
  time_each(state, [&](int64_t i) {
    const size_t at = size_t(i % inputs);
    stream.step(&signal.x[at], &signal.y[at]);
  });
}

/// What the machine's interruptions do to a call that reads no memory: products, each of the one before.
void run_arithmetic(benchmark::State& state, int64_t count) {
  time_each(state, [&](int64_t) {
    float product = 1;
    benchmark::DoNotOptimize(product);
    for (int64_t k = 0; k < count; ++k) product *= 1.0001f;
    benchmark::DoNotOptimize(product);
  });
}

void run_reference(benchmark::State& state) {
  const auto a = weft::test::random_numbers<float>(4096, 1), b = weft::test::random_numbers<float>(4096, 2);
  const auto limit = weft::bench::limits<float>(weft::isa());
  double expected = 0;
  for (size_t i = 0; i < a.size(); ++i) expected += double(a[i]) * double(b[i]);
  if (std::abs(limit.dot(a.data(), b.data(), 4096) - expected) > 1e-3)
    return state.SkipWithError("the result is wrong");
  for (auto _ : state) benchmark::DoNotOptimize(limit.dot(a.data(), b.data(), 4096));
  state.counters["L2 GB/s"] = l2_bandwidth() / 1e9;
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  const auto add = [](const std::string& name, const auto& run) {
    return benchmark::RegisterBenchmark((weft::isa() + "/" + name).c_str(), run)
        ->Unit(benchmark::kNanosecond);
  };
  add("reference", run_reference);
  for (int64_t count : {128, 1024, 4096, 16384})
    add("arithmetic/" + std::to_string(count) + "/single", [=](benchmark::State& state) {
      run_arithmetic(state, count);
    })->Iterations(1);
  for (const char* cell : {"lstm", "gru"})
    for (int64_t layers : {1, 2, 4, 8})
      for (int64_t units : {8, 16, 32, 64, 128, 256}) {
        const StepSize size{cell, units, layers};
        const std::string name = size.cell + "/" + std::to_string(units) + "/" + std::to_string(layers) + "/";
        add(name + "step", [=](benchmark::State& state) { run_loop(state, size, 1); });
        add(name + "process", [=](benchmark::State& state) { run_loop(state, size, block); });
        add(name + "single", [=](benchmark::State& state) { run_single(state, size); })->Iterations(1);
      }
  benchmark::RunSpecifiedBenchmarks();
  return weft::test::failures();
}
