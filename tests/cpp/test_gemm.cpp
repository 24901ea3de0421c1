// The packed product against three loops in double, for every instruction set of this machine.
#include <limits>

#include "check.hpp"
#include "gemm_isa.hpp"

using namespace weft::test;

namespace {

enum class Start { nothing, row, matrix, accumulate };
constexpr const char* start_names[] = {"nothing", "a row", "a matrix", "C itself"};

struct Case {
  int64_t rows, columns, depth;
  bool a_transposed, b_transposed;
  Start start;

  std::string text() const {
    return std::to_string(rows) + " x " + std::to_string(columns) + " x " + std::to_string(depth) +
           (a_transposed ? ", A transposed" : "") + (b_transposed ? ", B transposed" : "") + ", C from " +
           start_names[int(start)];
  }
};

template <class T>
void test_case(const Product<T>& product, const Case& c) {
  const std::string what = std::string(product.isa) + (sizeof(T) == 4 ? " float32 " : " float64 ") + c.text();
  constexpr T untouched = T(-77);
  const int64_t M = c.rows, N = c.columns, K = c.depth, stride = N + 3;
  const auto a = random_numbers<T>(M * K, 1), b = random_numbers<T>(K * N, 2),
             bias = random_numbers<T>(M * N + N, 3);
  const int64_t a_row = c.a_transposed ? 1 : K, a_col = c.a_transposed ? M : 1;
  const int64_t b_row = c.b_transposed ? 1 : N, b_col = c.b_transposed ? K : 1;

  std::vector<T> packed(size_t(product.packed_size(K, N)), untouched);
  product.pack(b.data(), b_row, b_col, K, N, packed.data());

  std::vector<T> result(size_t(M * stride), untouched);
  const T* init = nullptr;
  int64_t init_row = 0;
  if (c.start == Start::row) init = bias.data();
  if (c.start == Start::matrix) init = bias.data(), init_row = N;
  if (c.start == Start::accumulate) {
    init = result.data(), init_row = stride;
    for (int64_t m = 0; m < M; ++m)
      for (int64_t n = 0; n < N; ++n) result[m * stride + n] = bias[m * N + n];
  }

  std::vector<double> expected(size_t(M * stride), double(untouched));
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n) {
      double sum = c.start == Start::nothing ? 0
                   : c.start == Start::row   ? double(bias[n])
                                             : double(bias[m * N + n]);
      for (int64_t k = 0; k < K; ++k)
        sum += double(a[m * a_row + k * a_col]) * double(b[k * b_row + n * b_col]);
      expected[m * stride + n] = sum;
    }

  const int64_t b_panel = K * product.lanes;
  product.multiply(M, N, K, a.data(), a_row, a_col, packed.data(), product.lanes, b_panel, init, init_row,
                   result.data(), stride);
  // K + 1 roundings of sums of terms no greater than 1; they err both ways, so not (K + 1)^2.
  check_close(result, expected, 4 * std::numeric_limits<T>::epsilon(), double(K + 1), what);

  if (M == 0 || c.start == Start::accumulate) return;
  std::vector<T> last_row(size_t(stride), untouched);
  product.multiply(1, N, K, a.data() + (M - 1) * a_row, a_row, a_col, packed.data(), product.lanes, b_panel,
                   init == nullptr ? nullptr : init + (M - 1) * init_row, init_row, last_row.data(), stride);
  check_same_bits(std::vector<T>(result.end() - stride, result.end()), last_row, what + ": a row alone");
}

/// A row-major matrix with rows of whole vectors needs no packing.
template <class T>
void test_rows_as_panels(const Product<T>& product) {
  const int64_t M = 5, K = 9, N = 2 * product.lanes + 1, padded = 3 * product.lanes;
  const auto a = random_numbers<T>(M * K, 4);
  auto b = random_numbers<T>(K * padded, 5);
  std::vector<double> expected(size_t(M * N), 0.0);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < K; ++k) expected[m * N + n] += double(a[m * K + k]) * double(b[k * padded + n]);
  for (int64_t k = 0; k < K; ++k)
    for (int64_t n = N; n < padded; ++n) b[k * padded + n] = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> result(size_t(M * N));
  product.multiply(M, N, K, a.data(), K, 1, b.data(), padded, product.lanes, nullptr, 0, result.data(), N);
  check_close(result, expected, 4 * std::numeric_limits<T>::epsilon(), double(K), "rows as panels");
}

template <class T>
void test_product(const Product<T>& product) {
  for (int64_t rows : {0, 1, 2, 3, 5, 14, 15, 17, 33})
    for (int64_t columns : {1, 2, 15, 16, 17, 33, 64, 130})
      for (int64_t depth : {0, 1, 17})
        test_case(product, {rows, columns, depth, false, false, Start::nothing});
  for (Start start : {Start::nothing, Start::row, Start::matrix, Start::accumulate})
    for (bool a_transposed : {false, true})
      for (bool b_transposed : {false, true})
        for (int64_t depth : {0, 5, 512, 513, 1100})  // the sum goes through C after each 512
          test_case(product, {7, 39, depth, a_transposed, b_transposed, start});
  test_rows_as_panels(product);
}

}  // namespace

int main() {
  for (const auto& product : products<float>()) test_product(product);
  for (const auto& product : products<double>()) test_product(product);
  return failures();
}
