// One row of a linear layer, from weights that were packed once.
//
//   y = W x + b          W [O, I]   b [O]   x [I]   y [O]
//
// Many outputs: a panel for each block of eight vectors of outputs, in the order in which it is read. Few:
// a dot product for each.
#pragma once

#include "kernels/gemm/packed_matrix.hpp"
#include "kernels/step/step_sums.hpp"

namespace weft::WEFT_ISA {

/// load_partial without a way through memory, where the instruction set has one.
template <class T>
inline Vec<T> load_first(const T* p, int64_t n) {
  return load_partial(p, n);
}
#if defined(__AVX512F__)
template <>
inline Vec<float> load_first(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p);
}
template <>
inline Vec<double> load_first(const double* p, int64_t n) {
  return _mm512_maskz_loadu_pd(__mmask8((1u << n) - 1), p);
}
#elif defined(__AVX2__)
template <>
inline Vec<float> load_first(const float* p, int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), lane));
}
template <>
inline Vec<double> load_first(const double* p, int64_t n) {
  return _mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3)));
}
#endif

template <class T>
struct StepLinear {
  static constexpr int64_t width = lanes<T>;
  static constexpr int block = 8;

  int64_t inputs, outputs;

  /// Whether a vector of products for each output, added up, takes fewer instructions than a vector of
  /// outputs for each input.
  bool by_rows() const {
    constexpr int64_t adding_up = 12;
    return outputs == 1 || outputs * (inputs / width + adding_up) < inputs * ((outputs + width - 1) / width);
  }
  int64_t row() const { return round_up(inputs, width); }
  int64_t vectors() const { return (outputs + width - 1) / width; }
  int64_t packed_size() const {
    return by_rows() ? outputs * row() + round_up(outputs, width) : vectors() * width * (1 + inputs);
  }

  [[gnu::cold]] void pack(const T* weight, const T* bias, T* packed) const {
    const auto bias_of = [&](int64_t o) { return bias != nullptr && o < outputs ? bias[o] : T(0); };
    if (by_rows()) {
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t k = 0; k < row(); ++k) *packed++ = k < inputs ? weight[o * inputs + k] : T(0);
      for (int64_t o = 0; o < round_up(outputs, width); ++o) *packed++ = bias_of(o);
      return;
    }
    for_each_step_block<block>(vectors(), false, [&]<int B>(int64_t v) {
      const int64_t first = v * width;
      for (int64_t i = 0; i < B * width; ++i) *packed++ = bias_of(first + i);
      const PackedMatrix<T> panel{packed, inputs, B * width, B * width};
      panel.pack_transposed(weight + first * inputs, inputs, {0, B * width}, outputs - first);
      packed += panel.size(inputs, B * width);
    });
  }

  /// y is overwritten up to whole vectors.
  void run(const T* packed, const T* x, T* y) const {
    if (outputs == 1) return void(*y = dot(packed, x) + packed[row()]);
    if (by_rows()) {
      const T* bias = packed + outputs * row();
      for (int64_t o = 0; o < outputs; ++o) y[o] = dot(packed + o * row(), x) + bias[o];
      return;
    }
    for_each_step_block<block>(vectors(), false, [&]<int B>(int64_t v) __attribute__((always_inline)) {
      StepSums<T, B> sums;
      sums.start(packed);
      packed = sums.add(packed + B * width, x, inputs);
      sums.finish(y + v * width);
    });
  }

 private:
  T dot(const T* w, const T* x) const {
    using Eigen::internal::padd;
    constexpr int chains = 4;
    Vec<T> total = broadcast(T(0));
    int64_t k = 0;
    if (inputs >= chains * width) {
      Vec<T> sum[chains];
#pragma GCC unroll 4
      for (int s = 0; s < chains; ++s) sum[s] = broadcast(T(0));
      for (; k + chains * width <= inputs; k += chains * width)
#pragma GCC unroll 4
        for (int s = 0; s < chains; ++s)
          sum[s] = fma(load(w + k + s * width), load(x + k + s * width), sum[s]);
      total = padd(padd(sum[0], sum[1]), padd(sum[2], sum[3]));
    }
    for (; k + width <= inputs; k += width) total = fma(load(w + k), load(x + k), total);
    if (k < inputs) total = fma(load(w + k), load_first(x + k, inputs - k), total);
    return Eigen::internal::predux(total);
  }
};

}  // namespace weft::WEFT_ISA
