// Additive attention scores against plain loops in double.
#include <array>

#include "everywhere.hpp"
#include "memory.hpp"
#include "weft/additive_scores.hpp"

using namespace weft::test;

namespace {

template <class T>
void test_scores(int64_t B, int64_t Q, int64_t S, int64_t A) {
  const auto q = random_numbers<T>(B * Q * A, 1), k = random_numbers<T>(B * S * A, 2),
             weight = random_numbers<T>(A, 3);
  const auto dscores = random_numbers<T>(B * Q * S, 4);
  const auto compute = [&] {
    std::vector<T> scores(B * Q * S), dq(B * Q * A), dk(B * S * A), dweight(A, T(1));  // the last is added to
    weft::additive_scores_forward<T>({.q = view(q, B, Q, A),
                                      .k = view(k, B, S, A),
                                      .weight = view(weight),
                                      .scores = view(scores, B, Q, S)});
    weft::AdditiveScoresBackward<T> backward{.q = view(q, B, Q, A),
                                             .k = view(k, B, S, A),
                                             .weight = view(weight),
                                             .dscores = view(dscores, B, Q, S),
                                             .dq = view(dq, B, Q, A),
                                             .dk = view(dk, B, S, A),
                                             .dweight = view(dweight)};
    const Memory workspace = bring_workspace(backward, weft::additive_scores_backward_workspace(backward));
    weft::additive_scores_backward(backward);
    return Arrays<T>{scores, dq, dk, dweight};
  };
  std::vector<double> scores(B * Q * S), dq(B * Q * A), dk(B * S * A), dweight(A, 1.0);
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = b * Q; t < (b + 1) * Q; ++t)
      for (int64_t s = b * S; s < (b + 1) * S; ++s)
        for (int64_t a = 0; a < A; ++a) {
          const int64_t score = t * S + s - b * S;
          const double u = std::tanh(double(q[t * A + a]) + double(k[s * A + a])), d = double(dscores[score]);
          scores[score] += double(weight[a]) * u;
          dq[t * A + a] += d * double(weight[a]) * (1 - u * u);
          dk[s * A + a] += d * double(weight[a]) * (1 - u * u);
          dweight[a] += d * u;
        }
  check_everywhere<T>(compute, {scores, dq, dk, dweight}, sizeof(T) == 4 ? 2e-6 : 1e-14, "additive scores");
}

void test_errors() {
  std::vector<float> numbers(100);
  const auto q = view(numbers, 2, 3, 4), k = view(numbers, 2, 5, 4), scores = view(numbers, 2, 3, 5);
  const weft::View<float, 1> weight(numbers.data(), {4});
  check_invalid([&] { weft::additive_scores_forward<float>({q, view(numbers, 2, 5, 3), weight, scores}); },
                {"additive_scores_forward: k must be (B, S, A) = (2, 5, 4), got (2, 5, 3)"});
  check_invalid([&] { weft::additive_scores_forward<float>({q, k, {numbers.data(), {5}}, scores}); },
                {"additive_scores_forward: weight must be (A,) = (4,), got (5,)"});
  check_invalid([&] { weft::additive_scores_forward<float>({q, k, weight, view(numbers, 2, 5, 3)}); },
                {"additive_scores_forward: scores must be (B, T, S) = (2, 3, 5), got (2, 5, 3)"});
  check_invalid([&] { weft::additive_scores_backward<float>({q, k, weight, scores, q, k, weight}); },
                {"additive_scores_backward: workspace must have at least"});
}

}  // namespace

int main() {
  for (const auto& [B, Q, S, A] : std::vector<std::array<int64_t, 4>>{{1, 1, 1, 1},
                                                                      {2, 3, 5, 16},
                                                                      {3, 7, 70, 33},
                                                                      {1, 1, 129, 5},
                                                                      {5, 40, 66, 64},
                                                                      {2, 0, 3, 4},
                                                                      {2, 3, 4, 0}}) {
    test_scores<float>(B, Q, S, A);
    test_scores<double>(B, Q, S, A);
  }
  test_errors();
  return failures();
}
