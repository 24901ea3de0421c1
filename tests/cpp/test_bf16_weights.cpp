// Weights stored as bfloat16 against a plain loop over the rounded weights, to the bit, for every instruction
// set of this machine: what the product does with one element type it does with another.
#include "bf16_weights_isa.hpp"
#include "check.hpp"

using namespace weft::test;

namespace {

struct Case {
  int64_t rows, columns, depth;
  bool transposed, grouped;  // B; its panels
  int start;                 // C from nothing, a row, itself

  std::string text() const {
    static constexpr const char* starts[] = {"nothing", "a row", "itself"};
    return std::to_string(rows) + " x " + std::to_string(columns) + " x " + std::to_string(depth) +
           (transposed ? ", B transposed" : "") + (grouped ? ", panels in groups" : "") + ", C from " +
           starts[start];
  }
};

/// To eight significant bits, ties to even.
float rounded(float x) {
  int exponent;
  const float mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(mantissa * 256) / 256, exponent);
}

/// One term more, as this instruction set adds it: SSE2 alone has no fused multiply-add.
float add(float a, float b, float sum, bool fused) {
  if (fused) return std::fma(a, b, sum);
  const volatile float product = a * b;
  return sum + product;
}

void test_case(const Bf16Product& product, const Case& c) {
  const std::string what = std::string(product.isa) + " " + c.text();
#if defined(__x86_64__)
  const bool fused = std::string(product.isa) != "baseline";
#else
  const bool fused = true;
#endif
  constexpr float untouched = -77;
  const int64_t M = c.rows, N = c.columns, K = c.depth, stride = N + 3;
  const auto a = random_numbers<float>(M * K, 1), start = random_numbers<float>(M * N + N, 3);
  auto b = random_numbers<float>(K * N, 2);
  for (size_t i = 0; i < b.size(); i += 5)  // ties, up and down
    b[i] = (i % 2 == 0 ? 1.0f : -1.0f) * (1.0f + float(2 * (i % 16) + 1) / 256.0f);

  std::vector<float> result(size_t(M * stride), untouched), expected = result;
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n) {
      if (c.start == 2) result[m * stride + n] = start[m * N + n];
      float sum = c.start == 0 ? 0.0f : c.start == 1 ? start[n] : start[m * N + n];
      for (int64_t k = 0; k < K; ++k)
        sum = add(a[m * K + k], rounded(b[c.transposed ? n * K + k : k * N + n]), sum, fused);
      expected[m * stride + n] = sum;
    }

  const int64_t group = c.grouped ? 2 * product.lanes : product.lanes;
  std::vector<uint16_t> packed(size_t(product.packed_size(K, N)));
  product.pack(b.data(), c.transposed ? K : N, c.transposed, K, N, group, packed.data());
  const float* from = c.start == 0 ? nullptr : c.start == 1 ? start.data() : result.data();
  product.multiply(M, N, K, a.data(), packed.data(), group, from, c.start == 2 ? stride : 0, result.data(),
                   stride);
  check_same_bits(result, expected, what);
}

}  // namespace

int main() {
  for (const Bf16Product& product : bf16_products()) {
    for (int64_t rows : {0, 1, 2, 3, 5, 14, 15, 33})
      for (int64_t columns : {1, 15, 16, 17, 33, 130})
        for (int64_t depth : {0, 1, 17}) test_case(product, {rows, columns, depth, true, false, 0});
    for (int64_t depth : {5, 512, 1100})  // the sum goes through C after each 512
      for (bool transposed : {false, true})
        for (bool grouped : {false, true})
          for (int start : {0, 1, 2}) test_case(product, {7, 39, depth, transposed, grouped, start});
  }
  return failures();
}
