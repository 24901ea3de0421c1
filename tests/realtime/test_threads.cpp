// Many threads, one model: each steps streams of its own, and all results have the bits of a single thread's.
// Loading, the first stream of a model (which packs its weights) and whole sequences happen in all threads at
// once too.
//
//   test_threads [rounds]      its purpose is ThreadSanitizer: see CMakeLists.txt
//   test_threads planted       what must be reported: two threads step one stream
#include <atomic>
#include <thread>

#include "check.hpp"
#include "stepping.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

constexpr int threads = 8;

/// action(0), ..., action(7), each in a thread, all begun at once.
template <class Action>
void at_once(const Action& action) {
  std::atomic<int> waiting{threads};
  std::vector<std::thread> team;
  for (int i = 0; i < threads; ++i)
    team.emplace_back([&, i] {
      for (waiting.fetch_sub(1); waiting.load() > 0;) std::this_thread::yield();
      action(i);
    });
  for (auto& thread : team) thread.join();
}

/// Outputs of a stream of its own: steps, a block, a copy's turn, an assignment, a reset.
template <class T>
std::vector<T> streamed(const weft::BasicModel<T>& model, const ModelKind& kind, int thread, int64_t rounds) {
  const Inputs<T> inputs(model, uint64_t(thread) + 1);
  weft::BasicStream<T> stream(model, kind.capacity);
  const size_t block = size_t(8 * model.outputs());
  std::vector<T> all, y(block);
  for (int64_t round = 0; round < rounds; ++round) {
    for (int64_t i = 0; i < 8; ++i) inputs.step(stream, i, y.data() + i * model.outputs());
    all.insert(all.end(), y.begin(), y.end());
    inputs.process(stream, 8, y.data(), 8);
    all.insert(all.end(), y.begin(), y.end());
    weft::BasicStream<T> copy(stream);
    inputs.step(copy, 1, y.data());
    stream.assign(copy);
    stream.reset();
  }
  return all;
}

/// y of two sequences, the second of them shorter.
template <class T>
std::vector<T> whole(const weft::BasicModel<T>& model, int team) {
  const int64_t B = 2, steps = 9;
  const std::vector<int64_t> lengths{steps, 5};
  std::vector<T> y(size_t(B * steps * model.outputs()));
  const weft::View<T, 3> out(y.data(), {B, steps, model.outputs()});
  const weft::View<const int64_t, 1> valid(lengths.data(), {B});
  if (model.takes_tokens()) {
    std::vector<int64_t> tokens;
    for (int64_t i = 0; i < B * steps; ++i) tokens.push_back(i % model.inputs());
    model.run(weft::View<const int64_t, 2>(tokens.data(), {B, steps}), out, valid, team);
  } else {
    const auto x = random_numbers<T>(B * steps * model.inputs(), 9);
    model.run(weft::View<const T, 3>(x.data(), {B, steps, model.inputs()}), out, valid, team);
  }
  return y;
}

template <class T>
void test_shared_model(const ModelKind& kind, int64_t rounds) {
  std::vector<std::vector<T>> expected, expected_whole, actual(threads), actual_whole(threads);
  {
    const auto model = weft::BasicModel<T>::parse(kind.bytes);
    for (int i = 0; i < threads; ++i) expected.push_back(streamed(model, kind, i, rounds));
    expected_whole.assign(threads, whole(model, 1));
  }
  const auto model = weft::BasicModel<T>::parse(kind.bytes);  // nobody has made a stream of it
  at_once([&](int i) {
    actual[size_t(i)] = streamed(model, kind, i, rounds);
    actual_whole[size_t(i)] = whole(model, 1 + i % 2);
  });
  for (int i = 0; i < threads; ++i) {
    const std::string where = kind.name + ", thread " + std::to_string(i);
    check_same_bits(actual[size_t(i)], expected[size_t(i)], where + ", steps");
    check_same_bits(actual_whole[size_t(i)], expected_whole[size_t(i)], where + ", whole sequences");
  }
}

template <class T>
void test_loading(const ModelKind& kind) {
  std::vector<std::vector<T>> results(threads);
  at_once([&](int i) { results[size_t(i)] = streamed(weft::BasicModel<T>::parse(kind.bytes), kind, 0, 1); });
  for (const auto& result : results) check_same_bits(result, results[0], kind.name + ", loaded in threads");
}

void step_one_stream_in_threads() {
  const auto model = weft::Model::parse(model_kinds<float>().front().bytes);
  const Inputs<float> inputs(model);
  weft::Stream stream(model);
  at_once([&](int) {
    std::vector<float> y(size_t(model.outputs()));
    for (int64_t i = 0; i < 100; ++i) inputs.step(stream, i, y.data());
  });
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 && arguments[1] == std::string("planted")) return step_one_stream_in_threads(), 0;
  const int64_t rounds = count > 1 ? std::atoll(arguments[1]) : 100;
  const auto kinds = model_kinds<float>();
  test_loading<float>(kinds.back());  // before anything else: the first use of the library is in threads
  for (const auto& kind : kinds) test_shared_model<float>(kind, rounds);
  for (const auto& kind : model_kinds<double>()) test_shared_model<double>(kind, rounds);
  return failures();
}
