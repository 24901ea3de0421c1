// dW += dy^T x and db += sum over rows of dy, chunk by chunk of rows.
//
//   x [R, I]   dy [R, O]   dW [O, I]   db [O]          R rows, I inputs, O outputs
//
// Threads divide the elements of dW and share nothing: each packs what it needs of a chunk, x into panels and
// dy into tiles. dy lies transposed for this product, and read in place it would touch a new page for every
// row.
#pragma once

#include "gemm.hpp"
#include "pack_rows.hpp"
#include "parallel.hpp"

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
  static int64_t workspace(int64_t inputs) { return chunk_rows * (most_columns(inputs) + group); }

  void add(T* workspace, int thread, int threads) const {
    Range my_rows{0, outputs}, my_columns{0, inputs};  // of dW
    if (outputs >= 2 * height * threads)
      my_rows = share(outputs, thread, threads, height);
    else
      my_columns = share(inputs, thread, threads, 2 * lanes<T>);
    const Range biases = share(outputs, thread, threads, lanes<T>);
    const int64_t step = most_columns(inputs);
    T* tiles = workspace + chunk_rows * step;
    for (int64_t r = 0; r < rows; r += chunk_rows) {
      const int64_t count = min_of(chunk_rows, rows - r);
      if (dbias != nullptr) add_column_sums(dy + r * dy_row, count, biases);
      if (dweight == nullptr) continue;
      for (int64_t i = my_columns.begin; i < my_columns.end; i += step) {
        const int64_t columns = min_of(step, my_columns.end - i);
        pack_rows(x + r * x_row + i, x_row, count, columns, workspace, 0, round_up(columns, lanes<T>));
        for (int64_t o = my_rows.begin; o < my_rows.end; o += group) {
          const int64_t few = min_of(group, my_rows.end - o);
          pack_tiles(dy + r * dy_row + o, count, few, tiles);
          multiply(workspace, columns, tiles, few, count, dweight + o * dweight_row + i);
        }
      }
    }
  }

 private:
  static constexpr int64_t chunk_rows = 256, height = tile_rows(2);
  static constexpr int64_t group = 4 * height;  // rows of dW at a time, as linear.cpp takes rows of y

  /// Columns of x that are packed at once.
  static int64_t most_columns(int64_t inputs) { return min_of(round_up(inputs, lanes<T>), 1024); }

  /// Columns of `from` in tiles of `height`: element (k, o) at (o / height * count + k) * height + o %
  /// height.
  void pack_tiles(const T* from, int64_t count, int64_t columns, T* packed) const {
    for (int64_t k = 0; k < count; ++k)
      for (int64_t o = 0; o < columns; o += height) {
        const T* row = from + k * dy_row + o;
        T* to = packed + o * count + k * height;
        if (columns - o >= height)
          __builtin_memcpy(to, row, sizeof(T) * height);  // a fixed size: a few instructions
        else
          for (int64_t i = 0; i < columns - o; ++i) to[i] = row[i];
      }
  }

  /// C[few, columns] += tiles^T panels, over `count` rows of the batch.
  void multiply(const T* packed_x, int64_t columns, const T* packed_dy, int64_t few, int64_t count,
                T* c) const {
    for (int64_t i = 0; i < columns; i += 2 * lanes<T>) {
      const int64_t wide = min_of(2 * lanes<T>, columns - i);
      const bool two = wide > lanes<T>;
      for (int64_t o = 0; o < few; o += height) {
        const int64_t tall = min_of(height, few - o);
        T* out = c + o * dweight_row + i;
        const Tile<T> run = two ? tiles<T, 2>.rows[tall] : tiles<T, 1>.rows[tall];
        run(count, packed_dy + o * count, 1, height, packed_x + i * count, lanes<T>, count * lanes<T>, out,
            dweight_row, out, dweight_row, two ? wide - lanes<T> : wide);
      }
    }
  }

  void add_column_sums(const T* from, int64_t count, Range columns) const {
    for_each_vector<T>(columns.begin, columns.end, [&](int64_t i, int64_t n) {
      Vec<T> sum = broadcast(T(0));
      for (int64_t k = 0; k < count; ++k) sum = Eigen::internal::padd(sum, load(from + k * dy_row + i, n));
      store(dbias + i, Eigen::internal::padd(load(dbias + i, n), sum), n);
    });
  }
};

}  // namespace weft::WEFT_ISA
