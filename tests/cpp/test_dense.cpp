// Linear and embedding against plain loops in double.
#include "everywhere.hpp"
#include "weft/dense.hpp"

using namespace weft::test;

namespace {

template <class T>
void test_linear(int64_t R, int64_t I, int64_t O) {
  const auto x = random_numbers<T>(R * I, 1), weight = random_numbers<T>(O * I, 2),
             bias = random_numbers<T>(O, 3), dy = random_numbers<T>(R * O, 4);
  const auto compute = [&] {
    std::vector<T> y(R * O), dx(R * I), dweight(O * I, T(1)), dbias(O, T(1));  // the last two are added to
    std::vector<T> workspace(size_t(weft::linear_forward_workspace<T>(I, O)));
    weft::linear_forward<T>(view(x, R, I), view(weight, O, I), view(bias), view(y, R, O), view(workspace));
    workspace.resize(size_t(weft::linear_backward_workspace<T>(I, O)));
    weft::linear_backward<T>(view(x, R, I), view(weight, O, I), view(dy, R, O), view(dx, R, I),
                             view(dweight, O, I), view(dbias), view(workspace));
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
    weft::embedding_forward<T>(view(indices), view(weight, V, D), view(y, R, D));
    weft::embedding_backward<T>(view(indices), view(dy, R, D), view(dweight, V, D), 1);
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

void test_errors() {
  std::vector<float> numbers(100);
  const std::vector<int64_t> indices{0, 3, 2, 1};
  const auto y = view(numbers, 4, 5);
  check_invalid([&] { weft::embedding_forward<float>(view(indices), view(numbers, 3, 5), y); },
                {"embedding_forward: indices", "3"});
  check(weft::find_index_outside(view(indices), 3) == 1, "the first index outside");
  check(weft::find_index_outside(view(indices), 3, 3) == -1, "the ignored index is not outside");
  check_invalid(
      [&] { weft::linear_forward<float>(view(numbers, 4, 3), view(numbers, 5, 2), {}, y, view(numbers)); },
      {"linear_forward: weight must be (O, I)", "(5, 2)"});
  const weft::View<const float, 2> huge(numbers.data(), {int64_t(1) << 62, 4}, {0, 1}),
      negative(nullptr, {-1, 3});
  check_invalid([&] { weft::linear_forward<float>(huge, view(numbers, 1, 4), {}, y, view(numbers)); },
                {"linear_forward: x overflows 64-bit sizes, got shape (4611686018427387904, 4)"});
  check_invalid([&] { weft::linear_forward<float>(negative, view(numbers, 1, 3), {}, y, view(numbers)); },
                {"linear_forward: x must have no negative sizes, got (-1, 3)"});
  check_invalid([] { weft::linear_backward_workspace<float>(-3, 4); },
                {"linear_backward: the size of weight must not be negative, got -3 x 4"});
  check_invalid(
      [] { weft::linear_forward_workspace<float>(int64_t(1) << 40, int64_t(1) << 40); },
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
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_errors();
  return failures();
}
