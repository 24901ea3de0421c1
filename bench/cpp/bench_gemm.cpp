// One step's product [B, H] x [H, G H], packed beforehand, on one thread and on every instruction set.
//
//   bench_gemm [--benchmark_filter=avx2]
//
// Each product is checked against three loops in double before it is timed.
#include <benchmark/benchmark.h>

#include <limits>
#include <memory>

#include "check.hpp"
#include "gemm_isa.hpp"
#include "rates.hpp"

using namespace weft::test;

namespace {

struct Shape {
  int64_t rows, columns, depth;  // B, G H, H
};
constexpr Shape shapes[] = {{1, 256, 64},    {4, 1024, 256},  {32, 1024, 256},
                            {64, 2048, 512}, {128, 512, 128}, {16, 4096, 1024}};

template <class T>
class PackedProduct {
 public:
  PackedProduct(const Product<T>& product, const Shape& shape)
      : product_(product),
        shape_(shape),
        a_(random_numbers<T>(shape.rows * shape.depth, 1)),
        b_(random_numbers<T>(shape.depth * shape.columns, 2)),
        packed_(size_t(product.packed_size(shape.depth, shape.columns))),
        c_(size_t(shape.rows * shape.columns)) {
    product.pack(b_.data(), 1, shape.depth, shape.depth, shape.columns, packed_.data());
  }

  void run() {
    const auto [M, N, K] = shape_;
    product_.multiply(M, N, K, a_.data(), K, 1, packed_.data(), product_.lanes, K * product_.lanes, nullptr,
                      0, c_.data(), N);
    benchmark::DoNotOptimize(c_.data());
    benchmark::ClobberMemory();
  }

  void check_result() {
    const auto [M, N, K] = shape_;
    run();
    std::vector<double> expected(size_t(M * N));
    for (int64_t m = 0; m < M; ++m)
      for (int64_t n = 0; n < N; ++n)
        for (int64_t k = 0; k < K; ++k) expected[m * N + n] += double(a_[m * K + k]) * double(b_[n * K + k]);
    check_close(c_, expected, 4 * std::numeric_limits<T>::epsilon(), double(K), product_.isa);
  }

  double operations() const {
    return 2.0 * double(shape_.rows) * double(shape_.columns) * double(shape_.depth);
  }

  /// Each matrix once.
  double bytes() const {
    const auto [M, N, K] = shape_;
    return double(M * K + K * N + M * N) * sizeof(T);
  }

 private:
  Product<T> product_;
  Shape shape_;
  std::vector<T> a_, b_, packed_, c_;
};

template <class T>
void register_all(const char* type) {
  for (const auto& product : products<T>())
    for (const auto& shape : shapes) {
      const std::string name = std::string(product.isa) + "/" + type + "/" + std::to_string(shape.rows) +
                               "x" + std::to_string(shape.columns) + "x" + std::to_string(shape.depth);
      benchmark::RegisterBenchmark(name.c_str(), [product, shape](benchmark::State& state) {
        PackedProduct<T> packed(product, shape);
        packed.check_result();
        if (failures() != 0) return state.SkipWithError("the result is wrong");
        weft::bench::run_loop<T>(state, product.isa, packed.operations(), packed.bytes(),
                                 [&] { packed.run(); });
      });
    }
}

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  register_all<float>("float32");
  register_all<double>("float64");
  benchmark::RunSpecifiedBenchmarks();
  return failures();
}
