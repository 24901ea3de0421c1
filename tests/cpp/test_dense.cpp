// Linear, embedding and layer normalisation against plain loops in double.
#include "everywhere.hpp"
#include "memory.hpp"
#include "weft/dense.hpp"

using namespace weft::test;

namespace {

template <class T>
void test_linear(int64_t R, int64_t I, int64_t O) {
  const auto x = random_numbers<T>(R * I, 1), weight = random_numbers<T>(O * I, 2),
             bias = random_numbers<T>(O, 3), dy = random_numbers<T>(R * O, 4);
  const auto compute = [&] {
    std::vector<T> y(R * O), dx(R * I), dweight(O * I, T(1)), dbias(O, T(1));  // the last two are added to
    weft::LinearForward<T> forward{
        .x = view(x, R, I), .weight = view(weight, O, I), .bias = view(bias), .y = view(y, R, O)};
    Memory workspace = bring_workspace(forward, weft::linear_forward_workspace(forward));
    weft::linear_forward(forward);
    weft::LinearBackward<T> backward{.x = view(x, R, I),
                                     .weight = view(weight, O, I),
                                     .dy = view(dy, R, O),
                                     .dx = view(dx, R, I),
                                     .dweight = view(dweight, O, I),
                                     .dbias = view(dbias)};
    workspace = bring_workspace(backward, weft::linear_backward_workspace(backward));
    weft::linear_backward(backward);
    return Arrays<T>{y, dx, dweight, dbias};
  };
  std::vector<double> y(R * O), dx(R * I), dweight(O * I, 1.0), dbias(O, 1.0);
  for (int64_t r = 0; r < R; ++r)
    for (int64_t o = 0; o < O; ++o) {
      y[r * O + o] = double(bias[o]);
      dbias[o] += double(dy[r * O + o]);
      for (int64_t i = 0; i < I; ++i) {
        y[r * O + o] += double(x[r * I + i]) * double(weight[o * I + i]);
        dx[r * I + i] += double(dy[r * O + o]) * double(weight[o * I + i]);
        dweight[o * I + i] += double(dy[r * O + o]) * double(x[r * I + i]);
      }
    }
  check_everywhere<T>(compute, {y, dx, dweight, dbias}, sizeof(T) == 4 ? 2e-6 : 1e-14, "linear");
}

template <class T>
void test_embedding(int64_t R, int64_t V, int64_t D) {
  const auto weight = random_numbers<T>(V * D, 5), dy = random_numbers<T>(R * D, 6);
  std::vector<int64_t> indices;
  for (double number : random_numbers<double>(R, 7)) indices.push_back(int64_t((number + 1) / 2 * double(V)));
  const auto compute = [&] {
    std::vector<T> y(R * D), dweight(V * D, T(1));
    weft::embedding_forward<T>({.indices = view(indices), .weight = view(weight, V, D), .y = view(y, R, D)});
    weft::embedding_backward<T>(
        {.indices = view(indices), .dy = view(dy, R, D), .dweight = view(dweight, V, D), .padding_index = 1});
    return Arrays<T>{y, dweight};
  };
  std::vector<double> y, dweight(V * D, 1.0);
  for (int64_t r = 0; r < R; ++r)
    for (int64_t d = 0; d < D; ++d) {
      y.push_back(double(weight[indices[r] * D + d]));
      if (indices[r] != 1) dweight[indices[r] * D + d] += double(dy[r * D + d]);
    }
  check_everywhere<T>(compute, {y, dweight}, sizeof(T) == 4 ? 2e-6 : 1e-14, "embedding");
}

template <class T>
void test_layer_norm(int64_t R, int64_t D) {
  const double eps = 1e-3;
  auto x = random_numbers<T>(R * D, 1, 2.0);
  for (T& number : x) number += T(1);
  const auto weight = random_numbers<T>(D, 2), bias = random_numbers<T>(D, 3),
             dy = random_numbers<T>(R * D, 4);
  const auto compute = [&] {
    std::vector<T> y(R * D), mean(R * 2), inverse(R), dx(R * D), dweight(D, T(1)), dbias(D, T(1));
    weft::layer_norm_forward<T>({.x = view(x, R, D),
                                 .weight = view(weight),
                                 .bias = view(bias),
                                 .eps = eps,
                                 .y = view(y, R, D),
                                 .mean = view(mean, R, 2),
                                 .inverse_deviation = view(inverse)});
    weft::LayerNormBackward<T> backward{.x = view(x, R, D),
                                        .weight = view(weight),
                                        .mean = view(mean, R, 2),
                                        .inverse_deviation = view(inverse),
                                        .dy = view(dy, R, D),
                                        .dx = view(dx, R, D),
                                        .dweight = view(dweight),
                                        .dbias = view(dbias)};
    const Memory workspace = bring_workspace(backward, weft::layer_norm_backward_workspace(backward));
    weft::layer_norm_backward(backward);
    return Arrays<T>{y, dx, dweight, dbias};
  };
  std::vector<double> y(R * D), dx(R * D), dweight(D, 1.0), dbias(D, 1.0), normal(D);
  for (int64_t r = 0; r < R; ++r) {
    double mean = 0, variance = 0, sum = 0, along = 0;
    for (int64_t d = 0; d < D; ++d) mean += double(x[r * D + d]) / double(D);
    for (int64_t d = 0; d < D; ++d) variance += std::pow(double(x[r * D + d]) - mean, 2) / double(D);
    for (int64_t d = 0; d < D; ++d) {
      normal[d] = (double(x[r * D + d]) - mean) / std::sqrt(variance + eps);
      y[r * D + d] = normal[d] * double(weight[d]) + double(bias[d]);
      const double dnormal = double(dy[r * D + d]) * double(weight[d]);
      sum += dnormal / double(D);
      along += dnormal * normal[d] / double(D);
      dweight[d] += double(dy[r * D + d]) * normal[d];
      dbias[d] += double(dy[r * D + d]);
    }
    for (int64_t d = 0; d < D; ++d)
      dx[r * D + d] =
          (double(dy[r * D + d]) * double(weight[d]) - sum - normal[d] * along) / std::sqrt(variance + eps);
  }
  check_everywhere<T>(compute, {y, dx, dweight, dbias}, sizeof(T) == 4 ? 2e-6 : 1e-14, "layer norm");
}

void test_errors() {
  std::vector<float> numbers(100);
  const std::vector<int64_t> indices{0, 3, 2, 1};
  const auto y = view(numbers, 4, 5);
  const weft::View<const float, 2> rows = view(numbers, 4, 3), weight = view(numbers, 5, 2);
  check_invalid(
      [&] {
        weft::embedding_forward<float>({.indices = view(indices), .weight = view(numbers, 3, 5), .y = y});
      },
      {"embedding_forward: indices", "3"});
  check(weft::find_index_outside(view(indices), 3) == 1, "the first index outside");
  check(weft::find_index_outside(view(indices), 3, 3) == -1, "the ignored index is not outside");
  check_invalid([&] { weft::linear_forward<float>({.x = rows, .weight = weight, .y = y}); },
                {"linear_forward: weight must be (O, I)", "(5, 2)"});
  check_invalid([&] { weft::linear_forward<float>({.x = rows, .weight = view(numbers, 5, 3), .y = y}); },
                {"linear_forward: workspace must have at least ", " bytes, got null"});
  const weft::View<const float, 2> huge(numbers.data(), {int64_t(1) << 62, 4}, {0, 1}),
      negative(nullptr, {-1, 3});
  check_invalid([&] { weft::linear_forward<float>({.x = huge, .weight = view(numbers, 1, 4), .y = y}); },
                {"linear_forward: x overflows 64-bit sizes, got shape (4611686018427387904, 4)"});
  check_invalid([&] { weft::linear_forward<float>({.x = negative, .weight = view(numbers, 1, 3), .y = y}); },
                {"linear_forward: x must have no negative sizes, got (-1, 3)"});
  check_invalid([] { weft::linear_backward_workspace<float>({.weight = {nullptr, {4, -3}}}); },
                {"linear_backward: the size of weight must not be negative, got -3 x 4"});
  check_invalid(
      [] {
        weft::linear_forward_workspace<float>({.weight = {nullptr, {int64_t(1) << 40, int64_t(1) << 40}}});
      },
      {"linear_forward: the size of weight overflows 64-bit sizes, got 1099511627776 x 1099511627776"});
}

template <class T>
void test_all() {
  test_linear<T>(1, 1, 1);
  test_linear<T>(0, 3, 2);
  test_linear<T>(17, 33, 15);
  test_linear<T>(150, 70, 130);  // enough for several threads
  test_embedding<T>(1, 2, 1);
  test_embedding<T>(3000, 40, 67);
  test_layer_norm<T>(1, 1);
  test_layer_norm<T>(33, 17);
  test_layer_norm<T>(700, 130);
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_errors();
  return failures();
}
