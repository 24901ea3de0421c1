// The optimizers' updates against plain loops in double, three steps each.
#include <functional>

#include "everywhere.hpp"
#include "memory.hpp"
#include "weft/updates.hpp"

using namespace weft::test;

namespace {

constexpr int64_t N = 100'003;
constexpr int steps = 3;

/// update(arrays, grad, step) overwrites arrays = param and its states; plain does the same to one element.
template <class T, class Update, class Plain>
void test_update(const std::string& name, size_t states, const Update& update, const Plain& plain) {
  const auto param = random_numbers<T>(N, 1);
  const auto grad_of = [](int step) { return random_numbers<T>(N, 10 + step); };
  const auto compute = [&] {
    Arrays<T> arrays(1 + states, std::vector<T>(N));
    arrays[0] = param;
    for (int step = 1; step <= steps; ++step) update(arrays, grad_of(step), step);
    return arrays;
  };
  Arrays<double> expected(1 + states, std::vector<double>(N));
  expected[0].assign(param.begin(), param.end());
  for (int step = 1; step <= steps; ++step) {
    const auto grad = grad_of(step);
    for (int64_t i = 0; i < N; ++i) {
      double state[3] = {};
      for (size_t s = 0; s < states; ++s) state[s] = expected[1 + s][i];
      plain(expected[0][i], double(grad[i]), state, step);
      for (size_t s = 0; s < states; ++s) expected[1 + s][i] = state[s];
    }
  }
  check_everywhere<T>(compute, expected, sizeof(T) == 4 ? 2e-6 : 1e-14, name);
}

template <class T>
void test_sgd() {
  test_update<T>(
      "sgd", 1,
      [&](Arrays<T>& a, const std::vector<T>& grad, int) {
        weft::sgd_update<T>({.param = view(a[0]),
                             .grad = view(grad),
                             .velocity = view(a[1]),
                             .lr = 0.1,
                             .momentum = 0.9,
                             .weight_decay = 0.02,
                             .nesterov = true});
      },
      [](double& w, double grad, double* state, int) {
        const double g = grad + 0.02 * w;
        state[0] = 0.9 * state[0] + g;
        w -= 0.1 * (g + 0.9 * state[0]);
      });
}

template <class T>
void test_adam(bool decoupled) {
  test_update<T>(
      decoupled ? "adamw" : "adam", 2,
      [&](Arrays<T>& a, const std::vector<T>& grad, int step) {
        weft::adam_update<T>({.param = view(a[0]),
                              .grad = view(grad),
                              .m = view(a[1]),
                              .v = view(a[2]),
                              .lr = 1e-2,
                              .beta1 = 0.8,
                              .beta2 = 0.95,
                              .eps = 1e-6,
                              .weight_decay = 0.1,
                              .decoupled = decoupled,
                              .step = step});
      },
      [=](double& w, double grad, double* state, int step) {
        if (decoupled) w -= 1e-2 * 0.1 * w;
        const double g = decoupled ? grad : grad + 0.1 * w;
        state[0] = 0.8 * state[0] + 0.2 * g;
        state[1] = 0.95 * state[1] + 0.05 * g * g;
        const double m = state[0] / (1 - std::pow(0.8, step)), v = state[1] / (1 - std::pow(0.95, step));
        w -= 1e-2 * m / (std::sqrt(v) + 1e-6);
      });
}

template <class T>
void test_rmsprop() {
  test_update<T>(
      "rmsprop", 3,
      [&](Arrays<T>& a, const std::vector<T>& grad, int) {
        weft::rmsprop_update<T>({.param = view(a[0]),
                                 .grad = view(grad),
                                 .square_avg = view(a[1]),
                                 .momentum_buffer = view(a[2]),
                                 .grad_avg = view(a[3]),
                                 .lr = 0.01,
                                 .alpha = 0.9,
                                 .eps = 1e-3,
                                 .weight_decay = 0.1,
                                 .momentum = 0.9});
      },
      [](double& w, double grad, double* state, int) {
        const double g = grad + 0.1 * w;
        state[0] = 0.9 * state[0] + 0.1 * g * g;
        state[2] = 0.9 * state[2] + 0.1 * g;
        state[1] = 0.9 * state[1] + g / (std::sqrt(state[0] - state[2] * state[2]) + 1e-3);
        w -= 0.01 * state[1];
      });
}

template <class T>
void test_adagrad() {
  test_update<T>(
      "adagrad", 1,
      [&](Arrays<T>& a, const std::vector<T>& grad, int step) {
        weft::adagrad_update<T>({.param = view(a[0]),
                                 .grad = view(grad),
                                 .state_sum = view(a[1]),
                                 .lr = 0.1,
                                 .eps = 1e-8,
                                 .weight_decay = 0.1,
                                 .lr_decay = 0.1,
                                 .step = step});
      },
      [](double& w, double grad, double* state, int step) {
        const double g = grad + 0.1 * w;
        state[0] += g * g;
        w -= 0.1 / (1 + (step - 1) * 0.1) * g / (std::sqrt(state[0]) + 1e-8);
      });
}

template <class T>
void test_norm_and_scale() {
  const auto x = random_numbers<T>(N, 3);
  double sum = 0;
  std::vector<double> scaled;
  for (T value : x) sum += double(value) * double(value), scaled.push_back(double(value) * 0.25);
  const auto compute = [&] {
    weft::SumOfSquares<T> call{.x = view(x)};
    const Memory workspace = bring_workspace(call, weft::sum_of_squares_workspace(call));
    std::vector<T> y = x;
    weft::scale<T>({view(y), 0.25});
    return Arrays<T>{{T(weft::sum_of_squares(call))}, y};
  };
  check_everywhere<T>(compute, {{sum}, scaled}, sizeof(T) == 4 ? 1e-7 : 1e-13, "norm and scale");
}

/// A factor that a float does not hold: its products do.
void test_scale_by_less_than_a_float() {
  const std::vector<float> x(1003, 3e38f);
  const std::vector<double> expected(1003, double(3e38f) * 1e-60);
  const auto compute = [&] {
    std::vector<float> y = x;
    weft::scale<float>({view(y), 1e-60});
    for (float& value : y) value *= 1e22f;  // to where check_everywhere sees its digits
    return Arrays<float>{y};
  };
  std::vector<double> seen;
  for (double value : expected) seen.push_back(value * double(1e22f));
  check_everywhere<float>(compute, {seen}, 1e-6, "scale by less than a float");
}

template <class T>
void test_all() {
  test_sgd<T>();
  test_adam<T>(false);
  test_adam<T>(true);
  test_rmsprop<T>();
  test_adagrad<T>();
  test_norm_and_scale<T>();
}

void test_errors() {
  std::vector<float> w(3), g(4);
  check_invalid([&] { weft::sgd_update<float>({.param = view(w), .grad = view(g), .lr = 0.1}); },
                {"sgd_update: grad", "(4,)"});
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_scale_by_less_than_a_float();
  test_errors();
  return failures();
}
