// Softmax cross-entropy against plain loops in double.
#include <algorithm>
#include <limits>

#include "everywhere.hpp"
#include "weft/loss.hpp"

using namespace weft::test;

namespace {

constexpr int64_t ignored = -100;

template <class T>
void test_cross_entropy(int64_t R, int64_t V, double smoothing) {
  auto logits = random_numbers<T>(R * V, 1, 20.0);
  const auto dlosses = random_numbers<T>(R, 2);
  auto weight = random_numbers<T>(R, 3);
  std::vector<int64_t> targets;
  for (double number : random_numbers<double>(R, 4)) targets.push_back(int64_t((number + 1) / 2 * double(V)));
  for (int64_t r = 0; r < R; ++r) {
    weight[r] = r % 7 == 3 ? T(0) : std::abs(weight[r]);
    if (r % 5 == 2) targets[r] = ignored;
  }

  std::vector<double> losses(R), dlogits(R * V), totals(2);
  for (int64_t r = 0; r < R; ++r) {
    if (targets[r] == ignored) continue;
    const T* row = &logits[r * V];
    const double largest = double(*std::max_element(row, row + V)), w = double(weight[r]);
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) sum += std::exp(double(row[v]) - largest);
    for (int64_t v = 0; v < V; ++v) {
      const double log_p = double(row[v]) - largest - std::log(sum);
      const double q = smoothing / double(V) + (v == targets[r] ? 1 - smoothing : 0);
      losses[r] -= w * q * log_p;
      dlogits[r * V + v] = 0.5 * double(dlosses[r]) * w * (std::exp(log_p) - q);
    }
    totals[0] += losses[r];
    totals[1] += w;
  }

  for (int64_t r = 0; r < R; ++r)  // what counts for nothing is not read
    if (targets[r] == ignored || weight[r] == 0)
      std::fill_n(&logits[r * V], V, std::numeric_limits<T>::quiet_NaN());
  const auto compute = [&] {
    std::vector<T> losses(R), normalizer(R * 2), dlogits(R * V, T(7));
    const auto totals = weft::softmax_cross_entropy_forward<T>({.logits = view(logits, R, V),
                                                                .targets = view(targets),
                                                                .weight = view(weight),
                                                                .ignore_index = ignored,
                                                                .label_smoothing = smoothing,
                                                                .losses = view(losses),
                                                                .normalizer = view(normalizer, R, 2)});
    weft::softmax_cross_entropy_backward<T>({.logits = view(logits, R, V),
                                             .targets = view(targets),
                                             .weight = view(weight),
                                             .ignore_index = ignored,
                                             .label_smoothing = smoothing,
                                             .normalizer = view(normalizer, R, 2),
                                             .scale = 0.5,
                                             .dlosses = view(dlosses),
                                             .dlogits = view(dlogits, R, V)});
    return Arrays<T>{losses, {T(totals.loss), T(totals.weight)}, dlogits};
  };
  check_everywhere<T>(compute, {losses, totals, dlogits}, sizeof(T) == 4 ? 2e-6 : 1e-14, "cross-entropy");
}

template <class T>
void forward_and_backward(weft::View<const T, 2> logits, weft::View<const int64_t, 1> targets,
                          weft::View<T, 1> losses, weft::View<T, 2> normalizer,
                          weft::View<const T, 1> dlosses, weft::View<T, 2> dlogits) {
  weft::softmax_cross_entropy_forward<T>(
      {.logits = logits, .targets = targets, .losses = losses, .normalizer = normalizer});
  weft::softmax_cross_entropy_backward<T>({.logits = logits,
                                           .targets = targets,
                                           .normalizer = normalizer,
                                           .dlosses = dlosses,
                                           .dlogits = dlogits});
}

/// The loss and its gradient where the target has nearly all of the probability, or nearly none.
template <class T>
void test_tails(int64_t V, int64_t target) {
  for (const double gap : {1.0, 10.0, 30.0, 80.0}) {
    std::vector<T> logits(2 * V, T(0));
    logits[target] = T(gap);
    logits[V + target] = T(-gap);
    const std::vector<int64_t> targets(2, target);
    const auto compute = [&] {
      std::vector<T> losses(2), normalizer(4), dlogits(2 * V);
      forward_and_backward<T>(view(logits, 2, V), view(targets), view(losses), view(normalizer, 2, 2), {},
                              view(dlogits, 2, V));
      for (int64_t r = 0; r < 2; ++r) {  // relative to what they should be
        const double others = double(V - 1) * std::exp(r == 0 ? -gap : gap);
        losses[r] =
            T(double(losses[r]) / (r == 0 ? std::log1p(others) : std::log(others) + std::log1p(1 / others)));
        for (int64_t v = 0; v < V; ++v)
          dlogits[r * V + v] =
              T(double(dlogits[r * V + v]) / (others / (1 + others) / (v == target ? 1 : double(V - 1))));
      }
      return Arrays<T>{losses, dlogits};
    };
    std::vector<double> ones(2, 1.0), signs(2 * V, 1.0);
    signs[target] = signs[V + target] = -1;
    check_everywhere<T>(compute, {ones, signs}, sizeof(T) == 4 ? 1e-5 : 1e-13, "cross-entropy, tails");
  }
}

/// A logit of +infinity, and what has no share in the loss that is asked for.
template <class T>
void test_infinite() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const int64_t V : {2, 37}) {
    std::vector<T> logits(3 * V, T(0));
    logits[V - 1] = logits[2 * V - 1] = inf;
    logits[2 * V] = nan;
    const std::vector<int64_t> targets{V - 1, 0, 0};
    const std::vector<T> dlosses{1, 1, 0};
    std::vector<double> expected(3 * V, 0.0);
    expected[V] = -1;
    expected[2 * V - 1] = 1;
    const auto compute = [&] {
      std::vector<T> losses(3), normalizer(6), dlogits(3 * V);
      forward_and_backward<T>(view(logits, 3, V), view(targets), view(losses), view(normalizer, 3, 2),
                              view(dlosses), view(dlogits, 3, V));
      return Arrays<T>{{losses[0], T(losses[1] == inf), T(losses[2] != losses[2])}, dlogits};
    };
    check_everywhere<T>(compute, {{0, 1, 1}, expected}, 0, "cross-entropy, infinite");
  }
}

void test_errors() {
  std::vector<float> numbers(100);
  const std::vector<int64_t> targets{0, 5};
  const auto ask = [&](double smoothing) {
    weft::softmax_cross_entropy_forward<float>({.logits = view(numbers, 2, 5),
                                                .targets = view(targets),
                                                .ignore_index = ignored,
                                                .label_smoothing = smoothing,
                                                .losses = {numbers.data() + 20, {2}}});
  };
  check_invalid([&] { ask(0); }, {"softmax_cross_entropy_forward: targets", "5"});
  check_invalid([&] { ask(1.5); }, {"softmax_cross_entropy_forward: label_smoothing", "1.5"});
}

template <class T>
void test_all() {
  for (double smoothing : {0.0, 0.2}) {
    test_cross_entropy<T>(1, 1, smoothing);
    test_cross_entropy<T>(33, 17, smoothing);
    test_cross_entropy<T>(700, 256, smoothing);
  }
  test_tails<T>(2, 1);
  test_tails<T>(37, 36);  // in the last, partial vector
  test_tails<T>(300, 17);
  test_infinite<T>();
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_errors();
  return failures();
}
