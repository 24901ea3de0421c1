// Block sizes and thresholds of the kernels. <isa>.hpp beside this file has those of an
// instruction set; what it does not name is as here, for 16 vector registers.
#pragma once

#include <cstdint>

namespace weft {

struct Tuning {
  int vector_registers = 16;

  // gemm: rows of C that fit in the registers beside a tile of so many panels.
  struct TileRows {
    int two, four, six, eight;
  } tile_rows = {6, 3, 2, 1};
  int64_t depth_block = 512;  ///< of k, after which the partial sums go through C
  int few_rows = 4;           ///< of A, beside a square of W that is transposed in registers

  // Weight gradients: steps of the sum and tiles of rows that are packed at a time.
  int64_t gradient_depth = 256, gradient_tiles = 4;

  // recurrent: row-steps of a chunk; of the backward pass more where the weights' gradients are larger than
  // that.
  int64_t chunk_rows = 128;
  int64_t backward_rows = 256, backward_rows_of_large = 1024, large_gradients_bytes = int64_t(2) << 20;

  // linear: a block of W for the second-level cache, the rows of A that meet it, and tiles of them.
  int64_t block_bytes = 1 << 19, block_depth = 2048, rows_bytes = 1 << 16, most_tiles = 4;

  // attention: a block of keys, the queries that meet it, in strips of tiles, and what a task reads.
  int64_t most_queries = 66, keys_bytes = 1 << 16, strip_tiles = 4, task_bytes = 1 << 18;
};

constexpr Tuning of_32_registers() {
  Tuning tuning;
  tuning.vector_registers = 32;
  tuning.tile_rows = {14, 6, 4, 3};
  tuning.few_rows = 12;
  tuning.most_queries = 140;
  tuning.strip_tiles = 1;
  return tuning;
}

}  // namespace weft
