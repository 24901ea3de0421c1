// Every recurrent cell against the scalar reference: forward, backward, all instruction sets, any number of
// threads.
#include <array>

#include "recurrent_call.hpp"
#include "recurrent_reference.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

constexpr Options all_options[] = {
    {.name = "plain"},
    {.name = "bare", .bare = true},
    {.name = "reverse", .reverse = true},
    {.name = "lengths", .lengths = true},
    {.name = "lengths reverse", .reverse = true, .lengths = true},
    {.name = "resets", .resets = true},
    {.name = "dropout", .dropout = true},
    {.name = "zoneout", .zoneout = true},
    {.name = "checkpoints", .checkpoint_every = 3},
    {.name = "projection", .projection = true},
    {.name = "everything",
     .reverse = true,
     .lengths = true,
     .resets = true,
     .dropout = true,
     .zoneout = true,
     .checkpoint_every = 2,
     .projection = true},
};

template <class T>
struct Run {
  Outcome<T> out;
  Tensors<T> gradients;
};

struct How {
  Layout layout;
  int backwards = 1;
};

template <class T>
Run<T> run(const Problem& p, const Outcome<double>& douts, const How& how) {
  RecurrentCall<T> call(p, douts, how.layout);
  call.forward();
  const Outcome<T> out = call.out();
  call.infer();  // computes the same bits
  check_same_bits(call.out().y, out.y, p.cell + ": y in inference");
  check_same_bits(call.out().h_n, out.h_n, p.cell + ": h_n in inference");
  check_same_bits(call.out().c_n, out.c_n, p.cell + ": c_n in inference");
  for (int i = 0; i < how.backwards; ++i) call.backward();
  return {out, call.gradients()};
}

template <class T>
void check_same_run(const Run<T>& actual, const Run<T>& expected, const std::string& what) {
  check_same_bits(actual.out.y, expected.out.y, what + ": y");
  check_same_bits(actual.out.h_n, expected.out.h_n, what + ": h_n");
  check_same_bits(actual.out.c_n, expected.out.c_n, what + ": c_n");
  for (int i = 0; i < tensor_count; ++i)
    check_same_bits(actual.gradients[i], expected.gradients[i], what + ": d" + tensor_names[i]);
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (double value : values) result = std::max(result, std::abs(value));
  return result;
}

/// The reference's answers, computed once for all instruction sets.
struct Expected {
  Outcome<double> out, douts;
  Tensors<double> gradients;  // by element where the problem is small
  Tensors<double> direction;  // otherwise along one direction for each tensor
  std::array<double, tensor_count> along{};
};

Expected expect(const Problem& p, bool every_element) {
  Expected e;
  e.out = reference(p, p.tensors);
  e.douts = make_douts(p);
  for (int i = 0; i < tensor_count; ++i) {
    const size_t size = p.tensors[i].size();
    if (size == 0) continue;
    if (every_element) {
      for (size_t k = 0; k < size; ++k) {
        std::vector<double> unit(size);
        unit[k] = 1;
        e.gradients[i].push_back(derivative(p, e.douts, Tensor(i), unit));
      }
    } else {
      e.direction[i] = random_numbers<double>(int64_t(size), 30 + i);
      e.along[i] = derivative(p, e.douts, Tensor(i), e.direction[i]);
    }
  }
  return e;
}

template <class T>
void check_against(const Problem& p, const Expected& e, const Run<T>& run, const std::string& what) {
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-12;  // relative to the largest element
  check_close(run.out.y, e.out.y, tolerance, largest(e.out.y), what + ": y");
  check_close(run.out.h_n, e.out.h_n, tolerance, largest(e.out.h_n), what + ": h_n");
  check_close(run.out.c_n, e.out.c_n, tolerance, largest(e.out.c_n), what + ": c_n");
  for (int i = 0; i < tensor_count; ++i) {
    const std::string name = what + ": d" + tensor_names[i];
    if (!e.gradients[i].empty())
      check_close(run.gradients[i], e.gradients[i], tolerance, largest(e.gradients[i]), name);
    if (e.direction[i].empty()) continue;
    double sum = 0, magnitude = 0;
    for (size_t k = 0; k < e.direction[i].size(); ++k) {
      const double term = double(run.gradients[i][k]) * e.direction[i][k];
      sum += term, magnitude += std::abs(term);
    }
    check_close(std::vector<double>{sum}, std::vector<double>{e.along[i]}, tolerance, magnitude, name);
  }
  for (int64_t b = 0; b < p.B && !p.lengths.empty(); ++b)
    for (int64_t k = (b * p.T + p.lengths[b]) * p.I; k < (b + 1) * p.T * p.I; ++k)
      check(run.gradients[X][k] == 0, what + ": dx in the padding");
}

template <class T>
void test_problem(const Problem& p, const Options& options, const Expected& e, const std::string& what) {
  const int64_t every = options.checkpoint_every;
  const auto with = [&](const Layout& layout) { return run<T>(p, e.douts, {.layout = layout}); };
  const auto one = with({.checkpoint_every = every});
  check_against(p, e, one, what);
  for (int threads : {2, 3})
    check_same_run(with({.threads = threads, .checkpoint_every = every}), one,
                   what + ", " + std::to_string(threads) + " threads");
  check_same_run(with({.checkpoint_every = every, .time_major = true}), one, what + ", time-major");
  if (every > 0) {  // the sums over time may be cut elsewhere, all else is the same
    const auto whole = with({});
    check_same_bits(one.out.y, whole.out.y, what + ", without checkpoints: y");
    for (int i : {X, H0, C0})
      check_same_bits(one.gradients[i], whole.gradients[i],
                      what + ", without checkpoints: d" + tensor_names[i]);
  }

  // A second backward call reads the same `saved`, adds to the weights' gradients and overwrites the others.
  const auto twice = run<T>(p, e.douts, {.layout = {.checkpoint_every = every}, .backwards = 2});
  for (int i : {X, H0, C0})
    check_same_bits(twice.gradients[i], one.gradients[i], what + ": again d" + tensor_names[i]);
  for (int i : {W_IH, W_HH, B_IH, B_HH, EXTRA, W_PROJ}) {
    std::vector<double> doubled;
    for (T value : one.gradients[i]) doubled.push_back(2 * double(value));
    check_close(twice.gradients[i], doubled, sizeof(T) == 4 ? 2e-6 : 1e-12, largest(doubled),
                what + ": twice d" + tensor_names[i]);
  }
}

void test_cell(const weft::CellInfo& info, const Options& options, const Size& size, bool every_element) {
  const Problem p = make_problem(info, options, size);
  const Expected e = expect(p, every_element);
  for (const auto& isa : weft::available_isas()) {
    weft::set_isa(isa);
    const std::string what = isa + " " + p.cell + " " + options.name +
                             " T, B, I, H = " + std::to_string(size.T) + ", " + std::to_string(size.B) +
                             ", " + std::to_string(size.I) + ", " + std::to_string(size.H);
    test_problem<float>(p, options, e, what + " float32");
    test_problem<double>(p, options, e, what + " float64");
  }
}

void test_errors() {
  std::vector<float> numbers(1000);
  weft::RecurrentArguments<float> a;
  a.cell = "lstm", a.operation = "lstm_forward";
  a.x = {numbers.data(), {2, 3, 4}};
  a.w_ih = {numbers.data(), {20, 4}};
  a.w_hh = {numbers.data(), {20, 4}};
  const auto ask = [&] { weft::recurrent_sizes(a, true); };
  check_invalid(ask, {"lstm_forward: w_hh must be (4H, H) = (20, 5), got (20, 4)"});
  a.w_hh = {numbers.data(), {20, 5}};
  ask();
  a.cell = "elman";
  check_invalid(ask, {"lstm_forward: cell", "lstm", "\"elman\""});
  a.cell = "lstm";
  const std::vector<int64_t> lengths{3, 4};
  a.lengths = {lengths.data(), {2}};
  check_invalid(ask, {"lstm_forward: lengths", "0..3", "lengths[1] = 4"});
  a.lengths = {};
  a.x = {numbers.data(), {int64_t(1) << 40, int64_t(1) << 40, 4}};
  check_invalid(ask, {"lstm_forward", "overflows"});
}

}  // namespace

int main() {
  for (const auto& cell : referenced_cells()) {
    for (const auto& options : all_options) {
      test_cell(cell, options, {5, 4, 3, 5}, true);
      test_cell(cell, options, {3, 2, 17, 33}, false);
    }
    test_cell(cell, all_options[0], {1, 1, 1, 1}, true);
    // Enough work for three threads, more row-steps than a chunk holds.
    test_cell(cell, all_options[0], {9, 33, 17, 40}, false);
    test_cell(cell, all_options[std::size(all_options) - 1], {11, 35, 16, 32}, false);
  }
  test_errors();
  return failures();
}
