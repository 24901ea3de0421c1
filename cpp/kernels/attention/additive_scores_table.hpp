// Kernels of additive attention scores. Strides are in elements: of the batch, then of the rows; every last
// axis is contiguous.
#pragma once

#include <cstdint>

namespace weft {

/// B batch, T queries, S keys, A units.
template <class T>
struct AdditiveScores {
  int64_t batch, queries, keys, size;
  const T* q;  // [B, T, A]
  int64_t q_stride[2];
  const T* k;  // [B, S, A]
  int64_t k_stride[2];
  const T* weight;  // [A]
};

template <class T>
struct AdditiveScoresForward {
  AdditiveScores<T> arguments;
  T* scores;  // [B, T, S], overwritten
  int64_t scores_stride[2];
};

template <class T>
struct AdditiveScoresBackward {
  AdditiveScores<T> arguments;
  const T* dscores;  // [B, T, S]
  int64_t dscores_stride[2];
  T* dq;  // overwritten
  int64_t dq_stride[2];
  T* dk;  // overwritten
  int64_t dk_stride[2];
  T* dweight;    // accumulated
  T* workspace;  // backward_workspace elements
};

template <class T>
struct AdditiveScoresKernels {
  int64_t (*backward_workspace)(int64_t batch, int64_t keys, int64_t size, int threads);
  void (*forward)(const AdditiveScoresForward<T>&, int threads);
  void (*backward)(const AdditiveScoresBackward<T>&, int threads);
};

}  // namespace weft
