// Kernels of scaled dot-product attention. Strides are in elements; the last axis of q, k, v and of whatever
// is written is contiguous.
#pragma once

#include <cstdint>

namespace weft {

/// An array [B, N, T, S] that is added to the scores; strides may be zero.
template <class T>
struct ScoreTerm {
  const T* data = nullptr;
  int64_t stride[4] = {};
};

/// B batch, N heads, T queries, S keys, D and E elements of a key and of a value.
template <class T>
struct Attention {
  int64_t batch, heads, kv_heads, queries, keys, size, value_size;
  const T *q, *k, *v;  // [B, N, T, D], [B, Nk, S, D], [B, Nk, S, E]
  int64_t q_stride[3], k_stride[3], v_stride[3];
  T scale, softcap;           // softcap 0: none
  int64_t left, right;        // keys before and after a query's own position; -1: all
  bool from_end;              // the last query stands at the last key, instead of the first at the first
  const int64_t* kv_lengths;  // [B], or null: S
  const unsigned char* mask;  // [B, N, T, S], or null; strides may be zero; not bools, which are 0 or 1
  int64_t mask_stride[4];
  ScoreTerm<T> added[2];   // a bias, a float mask
  uint64_t dropped_below;  // a weight is dropped where its random word is below; 0: none
  T kept_scale;
  uint64_t seed, offset;
};

template <class T>
struct AttentionForward {
  Attention<T> arguments;
  T* out;  // [B, N, T, E] overwritten
  int64_t out_stride[3];
  T* normalizer;  // [B, N, T, 2] overwritten: m = max_s S and sum_s exp(S - m); -inf and 0 without keys
  void* workspace;
};

template <class T>
struct AttentionBackward {
  Attention<T> arguments;
  const T *out, *dout;
  int64_t out_stride[3], dout_stride[3];
  const T* normalizer;
  T *dq, *dk, *dv;  // as q, k, v; overwritten
  int64_t dq_stride[3], dk_stride[3], dv_stride[3];
  void* workspace;
};

/// weights [B, N, T, S], or [B, T, S] the mean over heads; overwritten.
template <class T>
struct AttentionWeights {
  Attention<T> arguments;
  const T* normalizer;
  T* weights;
  bool mean;
  void* workspace;
};

/// dbias [sizes] += the scores' gradient, summed over the axes whose size is 1.
template <class T>
struct AttentionBiasGradient {
  AttentionBackward<T> call;  // without dq, dk, dv
  T* dbias;
  int64_t sizes[4];  // each 1 or that of [B, N, T, S]
};

template <class T>
struct AttentionKernels {
  int64_t (*forward_workspace)(const Attention<T>&, int threads);  // in bytes, as the others
  int64_t (*backward_workspace)(const Attention<T>&, int threads);
  int64_t (*weights_workspace)(const Attention<T>&, int threads);
  void (*forward)(const AttentionForward<T>&, int threads);
  void (*backward)(const AttentionBackward<T>&, int threads);
  void (*weights)(const AttentionWeights<T>&, int threads);
  void (*bias_gradient)(const AttentionBiasGradient<T>&, int threads);
};

}  // namespace weft
