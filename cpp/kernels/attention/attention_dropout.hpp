// Dropout of attention weights: element (b, n, t, s) of [B, N, T, S], counted in C order, takes the random
// word that ops.dropout would give it, so that backward draws the same again.
#pragma once

#include "kernels/attention/attention_scores.hpp"
#include "kernels/simd/philox.hpp"

namespace weft::WEFT_ISA {

/// to = from * kept_scale where the element is kept, else 0; one row of a tile. They may be the same row.
template <class T>
inline void drop_row(const Attention<T>& p, const AttentionTile& tile, int64_t r, const T* from, T* to) {
  const uint32_t last_dropped = uint32_t(p.dropped_below - 1);
  const uint64_t t = uint64_t(tile.queries.begin + r);
  const uint64_t row = uint64_t(tile.b * p.heads + tile.n) * uint64_t(p.queries) + t;
  const uint64_t first = row * uint64_t(p.keys) + uint64_t(tile.keys.begin);
  uint32_t words[philox_elements];
  int64_t skip = int64_t(first % 4);  // words are drawn in blocks of four
  for (int64_t i = 0; i < tile.columns(); skip = 0) {
    philox(p.seed, p.offset, (first + uint64_t(i)) / 4, words);
    const int64_t count = min_of(philox_elements - skip, tile.columns() - i);
    for (int64_t j = 0; j < count; ++j)
      to[i + j] = words[skip + j] > last_dropped ? from[i + j] * p.kept_scale : T(0);
    i += count;
  }
}

}  // namespace weft::WEFT_ISA
