// Models and streams: every op stepped against the same model over whole sequences, on every instruction set.
#include <limits>
#include <thread>

#include "everywhere.hpp"
#include "model_cases.hpp"
#include "weft/model.hpp"

using namespace weft::test;
using weft::Status;

namespace {

/// Layers of some dozens of products each; a stream sums them in another order than a batch does.
template <class T>
constexpr double tolerance = 500 * std::numeric_limits<T>::epsilon();

/// One model with inputs to it, whatever it takes: sequences [B, T].
template <class T>
struct Subject {
  static constexpr int64_t B = 3, time = 23;
  std::vector<std::byte> file;
  weft::BasicModel<T> model;
  std::vector<T> x;
  std::vector<int64_t> tokens;

  explicit Subject(const ModelCase<T>& c)
      : file([&] {
          ModelFile<T> made;
          const std::string graph = c.graph(made);
          return made.with_graph(graph);
        }()),
        model(weft::BasicModel<T>::parse(file)),
        x(random_numbers<T>(B * time * model.inputs(), 5)) {
    for (const double number : random_numbers<double>(B * time, 6))
      tokens.push_back(int64_t((number + 1) / 2 * double(model.inputs())));
  }
  int64_t inputs() const { return model.inputs(); }
  int64_t outputs() const { return model.outputs(); }

  /// Of `count` sequences from the b-th on.
  std::vector<T> run(int64_t b, int64_t count, int64_t steps, std::vector<int64_t> lengths = {},
                     int threads = 0) const {
    std::vector<T> y(size_t(count * steps * outputs()), T(7));
    const weft::View<T, 3> out(y.data(), {count, steps, outputs()});
    const weft::View<const int64_t, 1> valid = lengths.empty()
                                                   ? weft::View<const int64_t, 1>()
                                                   : weft::View<const int64_t, 1>(lengths.data(), {count});
    if (model.takes_tokens())
      model.run({tokens.data() + b * time, {count, steps}, {time, 1}}, out, valid, threads);
    else
      model.run({x.data() + b * time * inputs(), {count, steps, inputs()}, {time * inputs(), inputs(), 1}},
                out, valid, threads);
    return y;
  }
  Status step(weft::BasicStream<T>& stream, int64_t b, int64_t t, T* y) const {
    return model.takes_tokens() ? stream.step(tokens[b * time + t], y)
                                : stream.step(x.data() + (b * time + t) * inputs(), y);
  }
  Status process(weft::BasicStream<T>& stream, int64_t b, int64_t t, int64_t n, T* y) const {
    return model.takes_tokens() ? stream.process(tokens.data() + b * time + t, y, n)
                                : stream.process(x.data() + (b * time + t) * inputs(), y, n);
  }
  /// The b-th sequence, step by step.
  std::vector<T> stream(weft::BasicStream<T>& stream, int64_t b, int64_t from = 0) const {
    std::vector<T> y(size_t((time - from) * outputs()));
    for (int64_t t = from; t < time; ++t)
      check(step(stream, b, t, &y[size_t((t - from) * outputs())]) == Status::ok, "step");
    return y;
  }
};

template <class T>
std::vector<double> doubles(const std::vector<T>& numbers) {
  return {numbers.begin(), numbers.end()};
}

/// A batch is its rows, one by one, whatever the padding; any number of threads gives the same bits.
template <class T>
void test_run(const Subject<T>& s, const std::string& name) {
  const std::vector<int64_t> lengths{14, 0, 23};
  const std::vector<T> batch = s.run(0, s.B, s.time, lengths, 1);
  std::vector<T> rows;
  for (int64_t b = 0; b < s.B; ++b) {
    std::vector<T> row = lengths[b] ? s.run(b, 1, lengths[b]) : std::vector<T>();
    row.resize(size_t(s.time * s.outputs()));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  check_close(batch, doubles(rows), tolerance<T>, 1, name + ": a ragged batch and its rows");
  for (const int threads : {2, 3})
    check_same_bits(s.run(0, s.B, s.time, lengths, threads), batch, name + ": threads");
}

template <class T>
void test_stream(const Subject<T>& s, const std::string& name) {
  const std::vector<T> expected = s.run(0, 1, s.time);
  weft::BasicStream<T> stream(s.model, 23);
  const std::vector<T> y = s.stream(stream, 0);
  check_close(y, doubles(expected), tolerance<T>, 1, name + ": steps against run");
  check(stream.position() == s.time, name + ": position");

  stream.reset();
  check(stream.position() == 0, name + ": position after a reset");
  std::vector<T> blocks(y.size());
  for (const auto& [from, n] : {std::pair<int64_t, int64_t>{0, 1}, {1, 0}, {1, 9}, {10, 13}})
    check(s.process(stream, 0, from, n, blocks.data() + from * s.outputs()) == Status::ok, "process");
  check_same_bits(blocks, y, name + ": blocks after a reset");

  // Half of one sequence, then copies of the stream go on with it, and the stream itself with another.
  stream.reset();
  std::vector<T> some(size_t(10 * s.outputs()));
  s.process(stream, 0, 0, 10, some.data());
  weft::BasicStream<T> copy(stream), assigned(s.model, 23);
  check(assigned.assign(stream), name + ": assign");
  s.process(stream, 1, 10, 13, blocks.data());
  const std::vector<T> rest(y.begin() + 10 * s.outputs(), y.end());
  check_same_bits(s.stream(copy, 0, 10), rest, name + ": a copy goes on");
  check_same_bits(s.stream(assigned, 0, 10), rest, name + ": an assigned stream goes on");
  copy = weft::BasicStream<T>(s.model, 23);
  check(copy.position() == 0, name + ": moved");
  copy = stream;
  check(copy.position() == 23, name + ": copied");
}

template <class T>
void test_cases() {
  for (const ModelCase<T>& c : model_cases<T>()) {
    const std::string before = weft::isa(), precision = sizeof(T) == 4 ? " float32 " : " float64 ";
    const Subject<T> s(c);
    check(s.model.obstacle().empty() == c.steps, c.name + ": obstacle");
    for (const std::string& isa : weft::available_isas()) {
      weft::set_isa(isa);
      test_run(s, c.name + precision + isa);
      if (c.steps)
        test_stream(s, c.name + precision + isa);
      else
        check_invalid([&] { weft::BasicStream<T>{s.model}; },
                      {"Stream: model cannot be stepped", s.model.obstacle()});
    }
    weft::set_isa(before);
  }
}

template <class T>
Subject<T> subject(const std::string& name) {
  for (const ModelCase<T>& c : model_cases<T>())
    if (c.name == name) return Subject<T>(c);
  throw std::invalid_argument("no case " + name);
}

void test_statuses() {
  const auto attention = subject<float>("attention, rotary");
  std::vector<float> y(3 * 16, 7.0f);
  weft::Stream stream(attention.model, 2);
  check(stream.capacity() == 2, "capacity");
  check(attention.process(stream, 0, 0, 3, y.data()) == Status::full, "full");
  check(stream.position() == 0 && y[0] == 7.0f, "none of the steps is done");
  check(attention.process(stream, 0, 0, 2, y.data()) == Status::ok && stream.position() == 2,
        "as many as fit");
  y.assign(3 * 16, 7.0f);
  check(attention.step(stream, 0, 2, y.data()) == Status::full && y[0] == 7.0f, "full: nothing is written");
  check(stream.step(int64_t(1), y.data()) == Status::wrong_input, "a token for features");
  weft::Stream other(attention.model, 3);
  check(!other.assign(stream), "assign of another capacity");
  check(weft::Stream(attention.model).capacity() == 1024, "the usual capacity");
  check(weft::Stream(subject<float>("attention, window").model).capacity() == 0, "a window steps for ever");
  check(weft::Stream(subject<float>("attention, window").model, 4).capacity() == 4, "less than the window");
  check(weft::Stream(subject<float>("lstm").model, 2).capacity() == 0, "no attention: no limit");
  const auto learned = subject<float>("learned positions");
  check(learned.model.context() == 64 && weft::Stream(learned.model).capacity() == 64, "learned positions");
  check_invalid([&] { weft::Stream{learned.model, 65}; }, {"Stream: capacity must be at most 64", "got 65"});
  check_invalid([&] { weft::Stream{learned.model, -1}; }, {"Stream: capacity must be at least 0, got -1"});
  check_invalid([&] { weft::Stream{attention.model, INT64_MAX / 4}; },
                {"Stream: capacity times", "overflows"});

  const auto words = subject<float>("embedding");
  weft::Stream reader(words.model);
  check(reader.takes_tokens() && reader.inputs() == 9 && reader.outputs() == 9, "sizes");
  const int64_t tokens[] = {3, 8, 9, 1};
  std::vector<float> logits(4 * 9, 7.0f);
  check(reader.process(tokens, logits.data(), 4) == Status::bad_token, "a token outside");
  check(reader.position() == 0 && logits[0] == 7.0f, "none of the tokens is read");
  check(reader.process(tokens, logits.data(), 2) == Status::ok && reader.position() == 2, "the right ones");
  check(reader.step(int64_t(-1), logits.data()) == Status::bad_token, "a negative token");
  check(reader.step(logits.data(), y.data()) == Status::wrong_input, "features for tokens");
  for (int status = 0; status < 4; ++status)
    check(std::string(weft::status_text(Status(status))).size() > 1, "every status has a text");
}

void test_run_errors() {
  const auto s = subject<float>("linear");
  std::vector<float> x(2 * 3 * 6), y(2 * 3 * 3);
  const int64_t lengths[] = {3, 4};
  check_invalid([&] { s.model.run(view(x, 2, 9, 2), view(y, 2, 3, 3)); },
                {"run: x must be (B, T, inputs) = (2, 9, 6), got (2, 9, 2)"});
  check_invalid([&] { s.model.run(view(x, 2, 3, 6), view(y, 2, 3, 2)); }, {"run: y must be (B, T, outputs)"});
  check_invalid([&] { s.model.run(view(x, 2, 3, 6), view(y, 2, 3, 3), {lengths, {2}}); },
                {"run: lengths must be in 0..T = 0..3, got 4"});
  check_invalid([&] { s.model.run({lengths, {1, 2}}, view(y, 1, 2, 3)); }, {"run: x must be features"});
  check_invalid([&] { s.model.run(view(x, 2, 3, 6), view(y, 2, 3, 3), {}, -1); }, {"run: threads"});
  const auto words = subject<float>("embedding alone");
  const int64_t tokens[] = {0, 9};
  check_invalid([&] { words.model.run({tokens, {1, 2}}, view(y, 1, 2, 5)); },
                {"run: tokens must be in [0, V) = [0, 9), got 9 at [0, 1]"});
  check_invalid([&] { words.model.run(view(x, 2, 3, 6), view(y, 2, 3, 3)); }, {"run: x must be tokens"});
  const auto learned = subject<float>("learned positions");
  std::vector<float> many(65 * 6);
  check_invalid([&] { learned.model.run(view(many, 1, 65, 6), view(many, 1, 65, 6)); },
                {"run: x must have T = at most 64 steps"});
  s.model.run({nullptr, {0, 3, 6}}, {nullptr, {0, 3, 3}});  // nothing to do
}

/// More keys than a kernel takes at a time.
void test_many_keys() {
  const std::string before = weft::isa();
  for (const char* name : {"attention, rotary", "attention, alibi", "attention, relative true[7,0]"})
    for (const std::string& isa : weft::available_isas()) {
      weft::set_isa(isa);
      const auto s = subject<float>(name);
      constexpr int64_t time = 1100;
      const auto x = random_numbers<float>(time * s.inputs(), 3);
      std::vector<float> expected(size_t(time * s.outputs())), y(expected.size());
      s.model.run(view(x, 1, time, s.inputs()), view(expected, 1, time, s.outputs()));
      weft::Stream stream(s.model, time);
      check(stream.process(x.data(), y.data(), time) == Status::ok, "many keys");
      // ALiBi's biases are as large as their distance, and so are their roundings.
      check_close(y, doubles(expected), 1e-4, 1, std::string(name) + ", many keys " + isa);
    }
  weft::set_isa(before);
}

/// A window's ring goes on for ever, as does a state; and NaN passes through.
void test_long_and_bad() {
  const auto s = subject<double>("attention, rotary and window");
  weft::Stream64 stream(s.model, 8), fresh(s.model, 8);
  std::vector<double> y(16), z(16);
  for (int64_t t = 0; t < 1000; ++t)
    check(s.step(stream, t % 3, t % 23, y.data()) == Status::ok, "a long one");
  check(stream.position() == 1000, "position");
  // Turned queries and keys know how far apart they are alone: the last four steps are all that matters.
  for (int64_t t = 996; t < 1000; ++t) s.step(fresh, t % 3, t % 23, z.data());
  check_close(y, z, 1e-12, 1, "a window's last steps");

  const auto cell = subject<float>("gru");
  weft::Stream gru(cell.model);
  std::vector<float> h(19), bad(6, std::numeric_limits<float>::quiet_NaN());
  check(gru.step(bad.data(), h.data()) == Status::ok && std::isnan(h[0]), "NaN");
  gru.reset();
  check(cell.step(gru, 0, 0, h.data()) == Status::ok && !std::isnan(h[0]), "and gone after a reset");
}

/// Denormals are zeros inside of a step, and what they were outside.
void test_denormals() {
  const auto s = subject<float>("linear, bare");
  weft::Stream stream(s.model);
  const std::vector<float> tiny(6, 1e-40f);
  std::vector<float> y(33, 7.0f);
  stream.step(tiny.data(), y.data());
  check(y == std::vector<float>(33, 0.0f), "denormals are flushed");
  volatile float small = 1e-38f;
  small = small / 100;
  check(small > 0, "and not outside");
}

/// Streams of one model on several threads, the first of which packs its weights.
void test_threads() {
  const auto s = subject<float>("transformer");
  const std::vector<float> expected = s.run(0, 1, s.time);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      weft::Stream stream(s.model, 64);
      for (int repeat = 0; repeat < 5; ++repeat) {
        stream.reset();
        result = s.stream(stream, 0);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    check_close(result, doubles(expected), tolerance<float>, 1, "threads");
    check_same_bits(result, results[0], "threads");
  }
}

/// A stream outlives its model and its file.
void test_lifetime() {
  std::vector<weft::Stream> streams;
  std::vector<float> expected, y(9);
  {
    const auto s = subject<float>("embedding");
    expected = s.run(0, 1, 1);
    streams.emplace_back(s.model);
  }
  streams.push_back(streams[0]);
  const auto s = subject<float>("embedding");
  for (weft::Stream& stream : streams) {
    stream.step(s.tokens[0], y.data());
    check_close(y, doubles(expected), tolerance<float>, 1, "lifetime");
  }
}

}  // namespace

int main() {
  test_cases<float>();
  test_cases<double>();
  test_statuses();
  test_run_errors();
  test_many_keys();
  test_long_and_bad();
  test_denormals();
  test_threads();
  test_lifetime();
  return failures();
}
