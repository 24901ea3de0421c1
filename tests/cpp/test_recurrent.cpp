// Every recurrent cell against the scalar reference: forward, backward, all instruction sets, any number of
// threads.
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "recurrent_reference.hpp"
#include "weft/config.hpp"
#include "weft/recurrent.hpp"

using namespace weft::test;

namespace {

/// Which options are on, named.
struct Options {
  const char* name;
  bool bare = false, reverse = false, lengths = false, resets = false, dropout = false, zoneout = false;
  int64_t checkpoint_every = 0;
  bool projection = false;
};

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

struct Size {
  int64_t T, B, I, H;
};

Problem make_problem(const weft::RecurrentCellInfo& info, const Options& options, const Size& size) {
  const auto [T, B, I, H] = size;
  const int64_t P = options.projection && info.takes_projection ? (H + 1) / 2 : H, rows = info.gates * H;
  Problem p;
  p.cell = info.name, p.gates = info.gates, p.extras = info.extras, p.has_c = info.has_c;
  p.T = T, p.B = B, p.I = I, p.H = H, p.P = P;
  p.reverse = options.reverse;
  const double bound = 1 / std::sqrt(double(H));
  p.tensors[X] = random_numbers<double>(B * T * I, 1);
  p.tensors[W_IH] = random_numbers<double>(rows * I, 2, bound);
  p.tensors[W_HH] = random_numbers<double>(rows * P, 3, bound);
  if (info.extras > 0) p.tensors[EXTRA] = random_numbers<double>(info.extras * H, 4);
  if (P != H) p.tensors[W_PROJ] = random_numbers<double>(P * H, 5, bound);
  if (!options.bare) {
    p.tensors[B_IH] = random_numbers<double>(rows, 6, bound);
    p.tensors[B_HH] = random_numbers<double>(rows, 7, bound);
    p.tensors[H0] = random_numbers<double>(B * P, 8);
    if (info.has_c) p.tensors[C0] = random_numbers<double>(B * H, 9);
  }
  const auto chance = random_numbers<double>(B * T, 10);
  if (options.lengths)
    for (int64_t b = 0; b < B; ++b) p.lengths.push_back(b % 3 == 1 ? 0 : b % 3 == 2 ? T : 1 + b % T);
  if (options.resets)
    for (double number : chance) p.resets.push_back(number < -0.3);
  if (options.dropout)
    for (double number : random_numbers<double>(B * T * P, 11))
      p.dropout.push_back(number < -0.5 ? 0.0 : 4.0 / 3);
  if (options.zoneout)
    for (double number : random_numbers<double>(B * T * P, 12)) p.zoneout.push_back(number * number);
  // Both kinds of number must be float32's own, or the comparison would be of the arguments.
  const auto narrow = [](std::vector<double>& numbers) {
    for (double& number : numbers) number = float(number);
  };
  for (auto& tensor : p.tensors) narrow(tensor);
  narrow(p.dropout);
  narrow(p.zoneout);
  return p;
}

/// Aligned memory full of NaNs: what is read before it is written shows.
class Memory {
 public:
  explicit Memory(size_t bytes)
      : bytes_(static_cast<char*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64))) {
    std::memset(bytes_.get(), 0xFF, bytes);
  }
  void* get() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char[], Free> bytes_;
};

template <class T>
struct Run {
  Outcome<T> out;
  Tensors<T> gradients;
};

struct How {
  int threads = 1;
  int64_t checkpoint_every = 0;
  bool time_major = false;
  int backwards = 1;
};

/// [B, T, N] laid out as [T, B, N], or the way back.
template <class T>
std::vector<T> swapped(const std::vector<T>& values, int64_t outer, int64_t inner, int64_t N) {
  std::vector<T> result(values.size());
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t j = 0; j < inner; ++j)
      for (int64_t n = 0; n < N; ++n) result[(j * outer + i) * N + n] = values[(i * inner + j) * N + n];
  return result;
}

/// Padding full of NaN, in the place of what the reference never reads.
template <class T>
void poison_padding(const Problem& p, std::vector<T>& values, int64_t N) {
  for (int64_t b = 0; b < p.B && !p.lengths.empty(); ++b)
    for (int64_t i = (b * p.T + p.lengths[b]) * N; i < (b + 1) * p.T * N; ++i)
      values[i] = std::numeric_limits<T>::quiet_NaN();
}

template <class T>
Run<T> run(const Problem& p, const Outcome<double>& douts, const How& how) {
  const auto cast = [](const std::vector<double>& v) { return std::vector<T>(v.begin(), v.end()); };
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Tensors<T> t;
  for (int i = 0; i < tensor_count; ++i) t[i] = cast(p.tensors[i]);
  auto dy = cast(douts.y), dropout = cast(p.dropout), zoneout = cast(p.zoneout);
  const auto dh_n = cast(douts.h_n), dc_n = cast(douts.c_n);
  poison_padding(p, t[X], p.I);
  poison_padding(p, dy, p.P);
  if (how.time_major) t[X] = swapped(t[X], p.B, p.T, p.I), dy = swapped(dy, p.B, p.T, p.P);

  const auto sequence = [&](auto* data, int64_t N) {
    using View = weft::View<std::remove_pointer_t<decltype(data)>, 3>;
    return how.time_major ? View(data, {p.B, p.T, N}, {N, p.B * N, 1}) : View(data, {p.B, p.T, N});
  };
  const auto matrix = [](auto& v, int64_t rows, int64_t columns) {
    return v.empty() ? weft::View<T, 2>() : weft::View<T, 2>(const_cast<T*>(v.data()), {rows, columns});
  };
  const auto vector = [](auto& v) {
    return v.empty() ? weft::View<T, 1>() : weft::View<T, 1>(const_cast<T*>(v.data()), {int64_t(v.size())});
  };
  const int64_t rows = p.gates * p.H;
  std::unique_ptr<bool[]> resets(new bool[p.resets.size() + 1]);
  for (size_t i = 0; i < p.resets.size(); ++i) resets[i] = p.resets[i] != 0;

  weft::RecurrentArguments<T> a;
  a.x = sequence(t[X].data(), p.I);
  a.w_ih = matrix(t[W_IH], rows, p.I);
  a.w_hh = matrix(t[W_HH], rows, p.P);
  a.b_ih = vector(t[B_IH]);
  a.b_hh = vector(t[B_HH]);
  a.extra = matrix(t[EXTRA], p.extras, p.H);
  a.w_proj = matrix(t[W_PROJ], p.P, p.H);
  a.h0 = matrix(t[H0], p.B, p.P);
  a.c0 = matrix(t[C0], p.B, p.H);
  if (!p.lengths.empty()) a.lengths = {p.lengths.data(), {p.B}};
  if (!p.resets.empty()) a.resets = {resets.get(), {p.B, p.T}};
  if (!dropout.empty()) a.recurrent_dropout_mask = {dropout.data(), {p.B, p.T, p.P}};
  if (!zoneout.empty()) a.zoneout_mask = {zoneout.data(), {p.B, p.T, p.P}};
  a.reverse = p.reverse;
  a.checkpoint_every = how.checkpoint_every;
  a.threads = how.threads;

  Run<T> result;
  result.out.y.assign(p.B * p.T * p.P, nan);
  result.out.h_n.assign(p.B * p.P, nan);
  result.out.c_n.assign(p.has_c ? p.B * p.H : 0, nan);
  const weft::RecurrentResults<T> r{sequence(result.out.y.data(), p.P), matrix(result.out.h_n, p.B, p.P),
                                    matrix(result.out.c_n, p.B, p.H)};
  const auto sizes = weft::recurrent_sizes(p.cell, a, true);
  const Memory saved(sizes.saved), workspace(sizes.forward_workspace),
      backward_workspace(sizes.backward_workspace);
  weft::recurrent_forward(p.cell, a, r, saved.get(), workspace.get());

  auto& g = result.gradients;
  for (int i = 0; i < tensor_count; ++i) g[i].assign(t[i].size(), i == X ? nan : T(0));
  g[H0].assign(p.B * p.P, nan);
  g[C0].assign(p.has_c ? p.B * p.H : 0, nan);
  weft::RecurrentGradientViews<T> v;
  v.dy = sequence(static_cast<const T*>(dy.data()), p.P);
  v.dh_n = matrix(dh_n, p.B, p.P);
  v.dc_n = matrix(dc_n, p.B, p.H);
  v.dx = sequence(g[X].data(), p.I);
  v.dw_ih = matrix(g[W_IH], rows, p.I);
  v.dw_hh = matrix(g[W_HH], rows, p.P);
  v.db_ih = vector(g[B_IH]);
  v.db_hh = vector(g[B_HH]);
  v.dextra = matrix(g[EXTRA], p.extras, p.H);
  v.dw_proj = matrix(g[W_PROJ], p.P, p.H);
  v.dh0 = matrix(g[H0], p.B, p.P);
  v.dc0 = matrix(g[C0], p.B, p.H);
  for (int i = 0; i < how.backwards; ++i)
    weft::recurrent_backward(p.cell, a, v, saved.get(), backward_workspace.get());

  if (how.time_major) {
    result.out.y = swapped(result.out.y, p.T, p.B, p.P);
    g[X] = swapped(g[X], p.T, p.B, p.I);
  }

  // Inference computes the same bits, from the same arguments.
  const auto inference_sizes = weft::recurrent_sizes(p.cell, a, false);
  const Memory inference_workspace(inference_sizes.forward_workspace);
  std::vector<T> y(p.B * p.T * p.P, nan), h_n(p.B * p.P, nan), c_n(result.out.c_n.size(), nan);
  weft::recurrent_forward<T>(p.cell, a,
                             {{y.data(), {p.B, p.T, p.P}}, matrix(h_n, p.B, p.P), matrix(c_n, p.B, p.H)},
                             nullptr, inference_workspace.get());
  check_same_bits(y, result.out.y, p.cell + ": y in inference");
  check_same_bits(h_n, result.out.h_n, p.cell + ": h_n in inference");
  check_same_bits(c_n, result.out.c_n, p.cell + ": c_n in inference");
  return result;
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
  Tensors<double> direction;  // otherwise along one direction for each tensor,
  std::array<double, tensor_count> along{},
      magnitude{};  // with the sum of the absolute terms that it is made of
};

Expected expect(const Problem& p, bool every_element) {
  Expected e;
  e.out = reference(p, p.tensors);
  e.douts = {random_numbers<double>(p.B * p.T * p.P, 20), random_numbers<double>(p.B * p.P, 21),
             random_numbers<double>(p.has_c ? p.B * p.H : 0, 22)};
  for (auto* numbers : {&e.douts.y, &e.douts.h_n, &e.douts.c_n})
    for (double& number : *numbers) number = float(number);
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
  const auto one = run<T>(p, e.douts, {.checkpoint_every = every});
  check_against(p, e, one, what);
  for (int threads : {2, 3})
    check_same_run(run<T>(p, e.douts, {.threads = threads, .checkpoint_every = every}), one,
                   what + ", " + std::to_string(threads) + " threads");
  check_same_run(run<T>(p, e.douts, {.checkpoint_every = every, .time_major = true}), one,
                 what + ", time-major");
  if (every > 0) {  // the sums over time may be cut elsewhere, all else is the same
    const auto whole = run<T>(p, e.douts, {});
    check_same_bits(one.out.y, whole.out.y, what + ", without checkpoints: y");
    for (int i : {X, H0, C0})
      check_same_bits(one.gradients[i], whole.gradients[i],
                      what + ", without checkpoints: d" + tensor_names[i]);
  }

  // A second backward call reads the same `saved`, adds to the weights' gradients and overwrites the others.
  const auto twice = run<T>(p, e.douts, {.checkpoint_every = every, .backwards = 2});
  for (int i : {X, H0, C0})
    check_same_bits(twice.gradients[i], one.gradients[i], what + ": again d" + tensor_names[i]);
  for (int i : {W_IH, W_HH, B_IH, B_HH, EXTRA, W_PROJ}) {
    std::vector<double> doubled;
    for (T value : one.gradients[i]) doubled.push_back(2 * double(value));
    check_close(twice.gradients[i], doubled, sizeof(T) == 4 ? 2e-6 : 1e-12, largest(doubled),
                what + ": twice d" + tensor_names[i]);
  }
}

void test_cell(const weft::RecurrentCellInfo& info, const Options& options, const Size& size,
               bool every_element) {
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
  a.operation = "lstm_forward";
  a.x = {numbers.data(), {2, 3, 4}};
  a.w_ih = {numbers.data(), {20, 4}};
  a.w_hh = {numbers.data(), {20, 4}};
  const auto ask = [&] { weft::recurrent_sizes("lstm", a, true); };
  check_invalid(ask, {"lstm_forward: w_hh must be (4H, H) = (20, 5), got (20, 4)"});
  a.w_hh = {numbers.data(), {20, 5}};
  ask();
  check_invalid([&] { weft::recurrent_sizes("elman", a, true); },
                {"lstm_forward: cell", "lstm", "\"elman\""});
  const std::vector<int64_t> lengths{3, 4};
  a.lengths = {lengths.data(), {2}};
  check_invalid(ask, {"lstm_forward: lengths", "0..3", "lengths[1] = 4"});
  a.lengths = {};
  a.x = {numbers.data(), {int64_t(1) << 40, int64_t(1) << 40, 4}};
  check_invalid(ask, {"lstm_forward", "overflows"});
}

}  // namespace

int main() {
  for (const auto& cell : weft::recurrent_cells()) {
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
