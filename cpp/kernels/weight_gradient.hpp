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
  static int64_t workspace(int64_t inputs, int64_t outputs) {
    return packed_size<T>(chunk_rows, inputs) + round_up(outputs, height) * chunk_rows;
  }

  void add(T* workspace, int thread, int threads) const {
    Range my_rows{0, outputs}, my_columns{0, round_up(inputs, lanes<T>)};  // of dW
    if (outputs >= 2 * height * threads)
      my_rows = share(outputs, thread, threads, height);
    else
      my_columns = share(my_columns.end, thread, threads, 2 * lanes<T>);
    const Range biases = share(outputs, thread, threads, lanes<T>);
    T* tiles = workspace + packed_size<T>(chunk_rows, inputs);
    for (int64_t r = 0; r < rows; r += chunk_rows) {
      const int64_t count = min_of(chunk_rows, rows - r);
      if (dbias != nullptr) add_column_sums(dy + r * dy_row, count, biases);
      if (dweight == nullptr) continue;
      pack_rows(x + r * x_row, x_row, count, inputs, workspace, my_columns.begin, my_columns.end);
      pack_tiles(dy + r * dy_row, count, tiles, my_rows);
      multiply(workspace, tiles, count, my_rows, my_columns);
    }
  }

 private:
  static constexpr int64_t chunk_rows = 256, height = tile_rows(2);
  static constexpr int64_t group = 4 * height;  // rows of dW at a time, as linear.cpp takes rows of y

  /// Columns of `from` in tiles of `height`: element (k, o) at (o / height * count + k) * height + o %
  /// height.
  void pack_tiles(const T* from, int64_t count, T* packed, Range columns) const {
    constexpr int64_t block = 32;
    for (int64_t first = 0; first < count; first += block) {
      const int64_t last = min_of(first + block, count);
      for (int64_t o = columns.begin; o < columns.end; o += height) {
        T* to = packed + o * count;
        const int64_t tall = min_of(height, columns.end - o);
        for (int64_t k = first; k < last; ++k) {
          const T* row = from + k * dy_row + o;
          if (tall == height)
            __builtin_memcpy(to + k * height, row, sizeof(T) * height);  // a fixed size: a few instructions
          else
            for (int64_t i = 0; i < tall; ++i) to[k * height + i] = row[i];
        }
      }
    }
  }

  void multiply(const T* packed_x, const T* packed_dy, int64_t count, Range my_rows, Range my_columns) const {
    for (int64_t first = my_rows.begin; first < my_rows.end; first += group)
      for (int64_t i = my_columns.begin; i < min_of(my_columns.end, inputs); i += 2 * lanes<T>) {
        const int64_t wide = min_of(2 * lanes<T>, inputs - i);
        const bool two = wide > lanes<T>;
        const int64_t last = two ? wide - lanes<T> : wide;
        for (int64_t o = first; o < min_of(first + group, my_rows.end); o += height) {
          const int64_t tall = min_of(height, outputs - o);
          T* c = dweight + o * dweight_row + i;
          const Tile<T> run = two ? tiles<T, 2>.rows[tall] : tiles<T, 1>.rows[tall];
          run(count, packed_dy + o * count, 1, height, packed_x + i * count, lanes<T>, count * lanes<T>, c,
              dweight_row, c, dweight_row, last);
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
