// Activations, rotary positions and dropout against plain loops in double.
#include <limits>

#include "everywhere.hpp"
#include "weft/pointwise.hpp"

using namespace weft::test;
using weft::Activation;

namespace {

/// (value, derivative)
std::pair<double, double> plain(Activation activation, double x) {
  const double sigmoid = 1 / (1 + std::exp(-x)), t = std::tanh(x);
  switch (activation) {
    case Activation::relu:
      return {x > 0 ? x : 0, x > 0 ? 1 : 0};
    case Activation::sigmoid:
      return {sigmoid, sigmoid * (1 - sigmoid)};
    case Activation::tanh:
      return {t, 1 - t * t};
    case Activation::silu:
      return {x * sigmoid, sigmoid + x * sigmoid * (1 - sigmoid)};
    case Activation::gelu: {
      const double phi = std::erfc(-x / std::sqrt(2)) / 2;
      return {x * phi, phi + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI)};
    }
    default: {
      const double root = std::sqrt(2 / M_PI), inner = std::tanh(root * (x + 0.044715 * x * x * x));
      return {x * (1 + inner) / 2,
              (1 + inner) / 2 + x * (1 - inner * inner) / 2 * root * (1 + 3 * 0.044715 * x * x)};
    }
  }
}

template <class T>
void test_activation(Activation activation, int64_t N) {
  const auto x = random_numbers<T>(N, 5, 6.0), dy = random_numbers<T>(N, 6);
  const auto compute = [&] {
    std::vector<T> y(N), dx(N);
    weft::activation_forward<T>({activation, view(x), view(y)});
    weft::activation_backward<T>({.activation = activation,
                                  .kept = view(weft::keeps_input(activation) ? x : y),
                                  .dy = view(dy),
                                  .dx = view(dx)});
    return Arrays<T>{y, dx};
  };
  std::vector<double> y, dx;
  for (int64_t i = 0; i < N; ++i) {
    const auto [value, slope] = plain(activation, double(x[i]));
    y.push_back(value);
    dx.push_back(slope * double(dy[i]));
  }
  check_everywhere<T>(compute, {y, dx}, sizeof(T) == 4 ? 1e-6 : 1e-14,
                      "activation " + std::to_string(int(activation)));
}

template <class T>
void test_swiglu(int64_t R, int64_t F) {
  const auto x = random_numbers<T>(R * 2 * F, 8, 4.0), dy = random_numbers<T>(R * F, 9);
  const auto compute = [&] {
    std::vector<T> y(R * F), dx(R * 2 * F);
    weft::swiglu_forward<T>({.x = view(x, R, 2 * F), .y = view(y, R, F)});
    weft::swiglu_backward<T>({.x = view(x, R, 2 * F), .dy = view(dy, R, F), .dx = view(dx, R, 2 * F)});
    return Arrays<T>{y, dx};
  };
  std::vector<double> y(R * F), dx(R * 2 * F);
  for (int64_t r = 0; r < R; ++r)
    for (int64_t f = 0; f < F; ++f) {
      const double b = double(x[r * 2 * F + F + f]), d = double(dy[r * F + f]);
      const auto [gate, slope] = plain(Activation::silu, double(x[r * 2 * F + f]));
      y[r * F + f] = gate * b;
      dx[r * 2 * F + f] = d * b * slope;
      dx[r * 2 * F + F + f] = d * gate;
    }
  check_everywhere<T>(compute, {y, dx}, sizeof(T) == 4 ? 1e-6 : 1e-14, "swiglu");
}

/// x[B, N, T, D] seen in an array [B, T, N, D], turned where it lies; forward, and backward from there.
template <class T>
void test_rotary(int64_t tables, int64_t D, int64_t P, bool interleaved) {
  const int64_t B = 2, N = 3, time = 5;
  const auto x = random_numbers<T>(B * time * N * D, 10), angle = random_numbers<T>(tables * time * P, 11);
  std::vector<T> cos, sin;
  for (const T value : angle) cos.push_back(std::cos(value)), sin.push_back(std::sin(value));
  const weft::Axes<3> shape{tables, time, P};
  const weft::View<const T, 3> cosines(cos.data(), shape), sines(sin.data(), shape);
  const auto heads = [&](std::vector<T>& v) {
    return weft::View<T, 4>(v.data(), {B, N, time, D}, {time * N * D, D, N * D, 1});
  };
  const auto compute = [&] {
    auto y = x;
    weft::rotary_forward<T>({heads(y), cosines, sines, interleaved, heads(y)});
    auto back = y;
    weft::rotary_backward<T>({heads(back), cosines, sines, interleaved, heads(back)});
    return Arrays<T>{y, back};
  };
  std::vector<double> y(x.begin(), x.end()), back(x.begin(), x.end());
  for (int64_t row = 0; row < B * time * N; ++row)
    for (int64_t i = 0; i < P; ++i) {
      const int64_t step = row / N % time, table = tables == 1 ? 0 : row / N / time;
      const int64_t place = (table * time + step) * P + i;
      const double c = double(cos[place]), s = double(sin[place]);
      const int64_t a = row * D + (interleaved ? 2 * i : i), b = interleaved ? a + 1 : a + P;
      y[a] = double(x[a]) * c - double(x[b]) * s;
      y[b] = double(x[b]) * c + double(x[a]) * s;
    }
  check_everywhere<T>(compute, {y, back}, 4 * std::numeric_limits<T>::epsilon(), "rotary");
}

/// How far y is from the exact value, in units of its last place.
template <class T>
double ulps(T y, long double exact) {
  const double unit = std::ldexp(1.0, std::ilogb(exact) - std::numeric_limits<T>::digits + 1);
  return double(std::abs(y - exact)) / unit;
}

/// What a cell computes is accurate in relative terms on the whole line: within 3 ulp wherever the exact
/// value is a normal number.
template <class T>
void test_ulps() {
  const T smallest = std::numeric_limits<T>::min(), infinity = std::numeric_limits<T>::infinity();
  std::vector<T> x;
  for (T magnitude = T(1e-6); magnitude < T(sizeof(T) == 4 ? 100 : 800); magnitude *= T(1.00037))
    for (T sign : {T(1), T(-1)}) x.push_back(sign * magnitude);
  x.insert(x.end(), {T(0), infinity, -infinity, std::numeric_limits<T>::quiet_NaN()});
  const auto size = int64_t(x.size());
  const std::string before = weft::isa();
  for (const std::string& name : weft::available_isas()) {
    weft::set_isa(name);
    std::vector<T> sigmoid(x.size()), tanh(x.size());
    weft::activation_forward<T>({Activation::sigmoid, view(x), view(sigmoid)});
    weft::activation_forward<T>({Activation::tanh, view(x), view(tanh)});
    double worst_sigmoid = 0, worst_tanh = 0;
    for (int64_t i = 0; i < size - 3; ++i) {
      const long double exact = 1 / (1 + std::exp(-(long double)x[i]));
      if (exact >= smallest) worst_sigmoid = std::fmax(worst_sigmoid, ulps(sigmoid[i], exact));
      if (exact < smallest) check(sigmoid[i] <= 2 * smallest, name + ": a sigmoid below every number");
      if (x[i] != 0) worst_tanh = std::fmax(worst_tanh, ulps(tanh[i], std::tanh((long double)x[i])));
    }
    check(worst_sigmoid <= 3, name + ": sigmoid is off by ulps: " + std::to_string(worst_sigmoid));
    check(worst_tanh <= 3, name + ": tanh is off by ulps: " + std::to_string(worst_tanh));
    check(sigmoid[size - 4] == T(0.5) && tanh[size - 4] == 0, name + ": at zero");
    check(sigmoid[size - 3] == 1 && tanh[size - 3] == 1, name + ": at infinity");
    check(sigmoid[size - 2] == 0 && tanh[size - 2] == -1, name + ": at minus infinity");
    check(std::isnan(sigmoid[size - 1]) && std::isnan(tanh[size - 1]), name + ": NaN stays");
  }
  weft::set_isa(before);
}

/// Block 0 under the key 0, from Random123's known answers: words of four elements, seen through their
/// threshold.
template <class T>
void test_dropout_words() {
  const uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const std::vector<T> x(4, T(1));
  for (int e = 0; e < 4; ++e)
    for (int beyond : {0, 1}) {
      std::vector<T> y(4);
      weft::dropout_forward<T>(
          {.x = view(x), .p = (double(words[e]) + beyond) * 0x1p-32, .seed = 0, .offset = 0, .y = view(y)});
      check((y[e] != 0) == (beyond == 0), "Philox word " + std::to_string(e));
    }
}

template <class T>
void test_dropout(int64_t N) {
  const double p = 0.25;
  const auto x = random_numbers<T>(N, 7);
  std::vector<T> mask(N);
  const std::vector<T> ones(N, T(1));
  weft::dropout_forward<T>({.x = view(ones), .p = p, .seed = 42, .offset = 7, .y = view(mask)});
  int64_t kept = 0;
  std::vector<double> expected(N);
  for (int64_t i = 0; i < N; ++i) {
    check(mask[i] == 0 || mask[i] == T(1 / (1 - p)), "a kept one is 1 / (1 - p)");
    kept += mask[i] != 0;
    expected[i] = double(x[i]) * double(mask[i]);
  }
  // Six standard deviations of a binomial.
  check(std::abs(double(kept) - double(N) * (1 - p)) <= 6 * std::sqrt(double(N) * p * (1 - p)),
        "how many are kept");
  const auto compute = [&] {
    std::vector<T> y(N), dx(N);
    weft::dropout_forward<T>({.x = view(x), .p = p, .seed = 42, .offset = 7, .y = view(y)});
    weft::dropout_backward<T>({.x = view(x), .p = p, .seed = 42, .offset = 7, .y = view(dx)});
    return Arrays<T>{y, dx};
  };
  check_everywhere<T>(compute, {expected, expected}, 2 * std::numeric_limits<T>::epsilon(), "dropout");
}

template <class T>
void test_all() {
  for (int64_t N : {0, 1, 17, 200'001})
    for (auto activation : {Activation::relu, Activation::gelu, Activation::gelu_tanh, Activation::silu,
                            Activation::sigmoid, Activation::tanh})
      test_activation<T>(activation, N);
  for (int64_t F : {1, 17, 70}) test_swiglu<T>(37, F);
  test_swiglu<T>(500, 130);
  for (bool interleaved : {false, true}) {
    test_rotary<T>(1, 64, 32, interleaved);
    test_rotary<T>(2, 37, 9, interleaved);
    test_rotary<T>(1, 300, 141, interleaved);  // more pairs than are turned at a time
  }
  test_ulps<T>();
  test_dropout_words<T>();
  test_dropout<T>(200'003);
}

void test_errors() {
  std::vector<float> x(3), y(4);
  check_invalid([&] { weft::activation_forward<float>({Activation::relu, view(x), view(y)}); },
                {"relu", "(3,)", "(4,)"});
  check_invalid(
      [&] { weft::dropout_forward<float>({.x = view(x), .p = 1.5, .seed = 0, .offset = 0, .y = view(x)}); },
      {"dropout_forward: p", "1.5"});
  check_invalid([&] { weft::swiglu_forward<float>({view(x, 1, 3), view(y, 1, 2)}); },
                {"swiglu_forward", "3"});
  const weft::View<const float, 3> table(y.data(), {1, 1, 2});
  const weft::View<float, 4> heads(x.data(), {1, 1, 1, 3});
  check_invalid([&] { weft::rotary_forward<float>({heads, table, table, false, heads}); },
                {"rotary_forward: cos", "D = 3", "P = 2"});
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_errors();
  return failures();
}
