// The scores of a tile of queries and keys, from their products to what the softmax takes.
//
//   s  = scale q k^T
//   s  = c tanh(s / c)            with a soft cap c
//   s += float mask + bias
//   s  = -inf                     where masked
//
// A masked score is replaced, not added to, so that a NaN there has no effect.
#pragma once

#include "kernels/attention/attention_visibility.hpp"
#include "kernels/gemm/dot_products.hpp"
#include "kernels/gemm/gemm.hpp"
#include "kernels/simd/math.hpp"

namespace weft::WEFT_ISA {

inline constexpr float minus_infinity = -__builtin_inff();

/// Queries of one head and element of the batch, and keys.
struct AttentionTile {
  int64_t b, n;
  Range queries, keys;

  int64_t rows() const { return queries.end - queries.begin; }
  int64_t columns() const { return keys.end - keys.begin; }
  /// The element of an array [B, N, T, S] for the first key and the r-th query.
  int64_t element(const Axes<4>& stride, int64_t r) const {
    return b * stride[0] + n * stride[1] + (queries.begin + r) * stride[2] + keys.begin * stride[3];
  }
};

/// Are there so few queries that k is read in place, since packing would not pay?
template <class T>
inline bool takes_keys_in_place(const Attention<T>& p) {
  constexpr int64_t few_queries = 6;
  return p.heads / max_of(p.kv_heads, 1) * p.queries <= few_queries && p.value_size % lanes<T> == 0;
}

/// The panels of `columns` keys that multiply_keys takes; none where it takes keys in place.
template <class T>
inline void pack_for_scores(const Attention<T>& p, const T* k, int64_t k_row, int64_t columns,
                            const PackedMatrix<T>& packed) {
  if (!takes_keys_in_place(p)) packed.pack_transposed(k, k_row, {0, round_up(columns, lanes<T>)}, columns);
}

/// s = q k^T of a tile, in whole vectors of keys. q has been scaled and padded to whole vectors; k_packed are
/// the tile's panels of k, unless keys are taken in place: then between() is called for each vector of keys.
///
/// Forward and all that recomputes scores call this, so that they get the same bits: the exponential of a
/// score of 1e9 magnifies its rounding.
template <class T, class Between>
inline void multiply_keys(const Attention<T>& p, const AttentionTile& tile, const T* q, int64_t q_row,
                          const Panels<T>& k_packed, T* s, int64_t row, const Between& between) {
  const int64_t rows = tile.rows(), columns = tile.columns();
  if (!takes_keys_in_place(p))
    return gemm<T>(rows, round_up(columns, lanes<T>), p.size, {q, q_row, 1}, k_packed, {}, s, row);
  const int64_t head = tile.n / (p.heads / p.kv_heads);
  const T* k = p.k.row(tile.b, head, tile.keys.begin);
  for (int64_t r = 0; r < rows; ++r)
    dot_products(q + r * q_row, p.size, k, p.k.stride[2], columns, s + r * row, between);
}

/// Is there anything in the tile that the boolean mask lets through?
template <class T>
inline bool passes_mask(const Attention<T>& p, const AttentionTile& tile) {
  if (p.mask == nullptr) return true;
  for (int64_t r = 0; r < tile.rows(); ++r) {
    const unsigned char* mask = p.mask + tile.element(p.mask_stride, r);
    for (int64_t i = 0; i < tile.columns(); ++i)
      if (mask[i * p.mask_stride[3]]) return true;
  }
  return false;
}

/// s = c tanh(s / c); slope = ds/ds before, if it is asked for.
template <class T>
inline void cap_scores(T softcap, T* s, T* slope, int64_t columns) {
  using namespace Eigen::internal;
  const Vec<T> cap = broadcast(softcap), inverse = broadcast(T(1) / softcap), one = broadcast(T(1));
  for (int64_t i = 0; i < columns; i += lanes<T>) {
    const Vec<T> y = tanh(pmul(load(s + i), inverse));
    store(s + i, pmul(cap, y));
    if (slope != nullptr) store(slope + i, psub(one, pmul(y, y)));
  }
}

template <class T>
inline void add_to_scores(const T* from, int64_t stride, T* s, int64_t columns) {
  constexpr T hidden = minus_infinity;
  const auto add = [&](int64_t step) __attribute__((always_inline)) {
    for (int64_t i = 0; i < columns; ++i) {
      const T value = from[i * step];
      s[i] = value == hidden ? hidden : s[i] + value;
    }
  };
  stride == 1 ? add(1) : add(stride);
}

template <class T>
inline void mask_scores(const unsigned char* mask, int64_t stride, T* s, int64_t columns) {
  const auto apply = [&](int64_t step) __attribute__((always_inline)) {
    for (int64_t i = 0; i < columns; ++i) s[i] = mask[i * step] ? s[i] : T(minus_infinity);
  };
  stride == 1 ? apply(1) : apply(stride);
}

/// On entry s [rows, columns in whole vectors], its rows `row` apart, holds scale q k^T; on return what the
/// softmax takes: -inf where masked, and past the last column. slope: null, or as cap_scores.
template <class T>
inline void finish_scores(const Attention<T>& p, const Visibility& visible, const AttentionTile& tile, T* s,
                          int64_t row, T* slope) {
  const int64_t columns = tile.columns(), padded = round_up(columns, lanes<T>);
  const bool whole = columns == padded && visible.is_whole(tile.queries, tile.keys);
  const bool plain = p.mask == nullptr && !*p.added[0] && !*p.added[1];
  if (whole && plain && p.softcap == 0) return;
  for (int64_t r = 0; r < tile.rows(); ++r) {
    T* scores = s + r * row;
    if (p.softcap > 0) cap_scores(p.softcap, scores, slope == nullptr ? nullptr : slope + r * row, padded);
    for (const View<const T, 4>* term : p.added)
      if (*term) add_to_scores(term->data + tile.element(term->stride, r), term->stride[3], scores, columns);
    if (p.mask != nullptr)
      mask_scores(p.mask + tile.element(p.mask_stride, r), p.mask_stride[3], scores, columns);
    if (whole) continue;
    const Range seen = intersection(visible.of(tile.queries.begin + r), tile.keys);
    for (int64_t i = 0; i < seen.begin - tile.keys.begin; ++i) scores[i] = minus_infinity;
    for (int64_t i = seen.end - tile.keys.begin; i < padded; ++i) scores[i] = minus_infinity;
  }
}

}  // namespace weft::WEFT_ISA
