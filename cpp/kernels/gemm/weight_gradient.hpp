// dW += dy^T x and db += sum over rows of dy, chunk by chunk of rows.
//
//   x [R, I]   dy [R, O]   dW [O, I]   db [O]          R rows, I inputs, O outputs
//
// Threads divide the elements of dW and share nothing: each packs what it needs of a chunk.
#pragma once

#include "kernels/gemm/transposed_product.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

template <class T>
class WeightGradient {
 public:
  int64_t rows, inputs, outputs;
  const T* x;
  int64_t x_row;
  const T* dy;
  int64_t dy_row;
  T* dweight;  // may be null
  int64_t dweight_row;
  T* dbias;  // may be null

  /// Elements of scratch that each thread needs.
  static int64_t workspace(int64_t inputs) { return chunk * most_columns(inputs) + Product::workspace; }

  void add(T* workspace, int thread, int threads) const {
    Range my_rows{0, outputs}, my_columns{0, inputs};  // of dW
    if (outputs >= 2 * Product::height * threads)
      my_rows = share(outputs, thread, threads, Product::height);
    else
      my_columns = share(inputs, thread, threads, 2 * lanes<T>);
    const Range biases = share(outputs, thread, threads, lanes<T>);
    const int64_t step = most_columns(inputs);
    T* scratch = workspace + chunk * step;
    for (int64_t r = 0; r < rows; r += chunk) {
      const int64_t count = min_of(chunk, rows - r);
      if (dbias != nullptr) add_column_sums(dy + r * dy_row, count, biases);
      if (dweight == nullptr) continue;
      for (int64_t i = my_columns.begin; i < my_columns.end; i += step) {
        const int64_t columns = min_of(step, my_columns.end - i);
        const PackedMatrix<T> right{workspace, count, columns};
        right.pack_rows(x + r * x_row + i, x_row, {0, round_up(columns, lanes<T>)}, columns);
        for (int64_t o = my_rows.begin; o < my_rows.end; o += Product::group) {
          const int64_t few = min_of(Product::group, my_rows.end - o);
          const Product product(scratch, dy + r * dy_row + o, dy_row, few, count);
          product.add(right.panels(), columns, dweight + o * dweight_row + i, dweight_row);
        }
      }
    }
  }

 private:
  using Product = TransposedProduct<T>;
  static constexpr int64_t chunk = Product::depth;

  /// Columns of x that are packed at once.
  static int64_t most_columns(int64_t inputs) { return min_of(round_up(inputs, lanes<T>), 1024); }

  void add_column_sums(const T* from, int64_t count, Range columns) const {
    for_each_vector<T>(columns.begin, columns.end, [&](int64_t i, int64_t n) {
      Vec<T> sum = broadcast(T(0));
      for (int64_t k = 0; k < count; ++k) sum = Eigen::internal::padd(sum, load(from + k * dy_row + i, n));
      store(dbias + i, Eigen::internal::padd(load(dbias + i, n), sum), n);
    });
  }
};

}  // namespace weft::WEFT_ISA
