// The arguments of attention as its kernels see them: with their sizes, and numbers of type T.
#pragma once

#include <math.h>

#include "weft/attention.hpp"

namespace weft::WEFT_ISA {

/// B batch, N heads, T queries, S keys, D and E elements of a key and of a value.
template <class T>
struct Attention {
  const View<const T, 4>&q, &k, &v;
  int64_t batch, heads, kv_heads, queries, keys, size, value_size;
  T scale, softcap;
  int64_t left, right;
  bool from_end;
  const int64_t* kv_lengths;  // [B], or null: S
  const unsigned char* mask;  // [B, N, T, S], or null; not bools, which are 0 or 1
  const Axes<4>& mask_stride;
  const View<const T, 4>* added[2];  // a bias, a float mask; empty where there is none
  uint64_t dropped_below;            // a weight is dropped where its random word is below; 0: none
  T kept_scale;
  uint64_t seed, offset;

  explicit Attention(const AttentionArguments<T>& a)
      : q(a.q),
        k(a.k),
        v(a.v),
        batch(a.q.shape[0]),
        heads(a.q.shape[1]),
        kv_heads(a.k.shape[1]),
        queries(a.q.shape[2]),
        keys(a.k.shape[2]),
        size(a.q.shape[3]),
        value_size(a.v.shape[3]),
        scale(T(a.scale)),
        softcap(T(a.softcap)),
        left(a.left),
        right(a.right),
        from_end(a.from_end),
        kv_lengths(a.kv_lengths.data),
        mask(reinterpret_cast<const unsigned char*>(a.mask.data)),
        mask_stride(a.mask.stride),
        added{&a.bias, &a.float_mask},
        dropped_below(uint64_t(::ceil(a.dropout * 4294967296.0))),
        kept_scale(T(1 / (1 - a.dropout))),
        seed(a.seed),
        offset(a.offset) {}
};

}  // namespace weft::WEFT_ISA
