// Kernels over elements and rows: normalisation, activations, positions, dropout, loss, optimizers.
//
// Arrays of one size are contiguous; matrices are row-major with the stride of their rows in elements.
#pragma once

#include <cstdint>

namespace weft {

/// y = (x - mean) / sqrt(variance + eps) * weight + bias over each row of x[R, D]
template <class T>
struct LayerNormForward {
  int64_t rows, size;
  const T* x;
  int64_t x_row;
  const T *weight, *bias;  // may be null
  double eps;
  T* y;  // overwritten
  int64_t y_row;
  T* mean;               // [R, 2], overwritten: the mean, and what it lost by rounding
  T* inverse_deviation;  // [R], overwritten
};

template <class T>
struct LayerNormBackward {
  int64_t rows, size;
  const T* x;
  int64_t x_row;
  const T* weight;  // may be null
  const T *mean, *inverse_deviation;
  const T* dy;
  int64_t dy_row;
  T* dx;  // overwritten; may be null
  int64_t dx_row;
  T *dweight, *dbias;  // accumulated; may be null
  T* workspace;        // layer_norm_backward_workspace elements
};

/// Forward reads x; backward reads what the activation keeps: its input x (gelu, silu) or its output y (the
/// others).
template <class T>
struct ActivationKernels {
  void (*forward)(int64_t size, const T* x, T* y, int threads);
  void (*backward)(int64_t size, const T* kept, const T* dy, T* dx, int threads);
};

/// y = a sigmoid(a) b over each row [a; b] of x[R, 2 F]
template <class T>
struct SwigluForward {
  int64_t rows, size;  // R, F
  const T* x;
  int64_t x_row;
  T* y;  // [R, F], overwritten
  int64_t y_row;
};

template <class T>
struct SwigluBackward {
  int64_t rows, size;
  const T* x;
  int64_t x_row;
  const T* dy;
  int64_t dy_row;
  T* dx;  // [R, 2 F], overwritten
  int64_t dx_row;
};

/// y = x with its pairs of features turned by the angles of cos and sin, or back by them.
template <class T>
struct Rotary {
  int64_t batch, heads, time, size;  // of x[B, N, T, D]
  int64_t pairs;                     // P: features from 2 P on stay as they are
  const T* x;
  int64_t x_stride[3];
  const T* cos;           // [B, T, P]
  int64_t cos_stride[2];  // of the batch, 0 where it shares one table, and of time
  const T* sin;
  int64_t sin_stride[2];
  bool interleaved;  // pairs are neighbours; else they are P apart
  bool inverse;
  T* y;  // overwritten; may be x
  int64_t y_stride[3];
};

/// y = x * (word(seed, offset, element) >= threshold) * scale; its backward is the same function of dy.
template <class T>
struct Dropout {
  int64_t size;
  const T* x;
  T* y;  // overwritten
  uint64_t seed, offset;
  uint64_t threshold;  // ceil(p 2^32)
  double scale;        // 1 / (1 - p)
};

template <class T>
struct CrossEntropyForward {
  int64_t rows, classes;
  const T* logits;
  int64_t logits_row;
  const int64_t* targets;
  const T* weight;  // [R], may be null
  int64_t ignore_index;
  double label_smoothing;
  T* losses;      // [R], overwritten: weighted, zero where ignored
  T* normalizer;  // [R, 2], overwritten: the row's maximum, the sum of exp(logit - maximum); may be null
};

/// The sums over all rows of the weighted losses and of the weights of rows not ignored.
struct CrossEntropySums {
  double loss, weight;
};

template <class T>
struct CrossEntropyBackward {
  int64_t rows, classes;
  const T* logits;
  int64_t logits_row;
  const int64_t* targets;
  const T* weight;      // [R], may be null
  const T* normalizer;  // [R, 2]
  int64_t ignore_index;
  double label_smoothing;
  double scale;      // of every row
  const T* dlosses;  // [R], of each row besides; may be null
  T* dlogits;        // overwritten
  int64_t dlogits_row;
};

template <class T>
struct SgdUpdate {
  int64_t size;
  T* param;
  const T* grad;
  T* velocity;  // null without momentum
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};

template <class T>
struct AdamUpdate {
  int64_t size;
  T* param;
  const T* grad;
  T *m, *v;
  T* max_v;  // null without amsgrad
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;
  double correction1, correction2;  // 1 - beta^step
};

template <class T>
struct RmspropUpdate {
  int64_t size;
  T* param;
  const T* grad;
  T* square_avg;
  T* momentum_buffer;  // null without momentum
  T* grad_avg;         // null unless centered
  double lr, alpha, eps, weight_decay, momentum;
};

template <class T>
struct AdagradUpdate {
  int64_t size;
  T* param;
  const T* grad;
  T* state_sum;
  double lr, eps, weight_decay;  // lr after its decay
};

template <class T>
struct PointwiseKernels {
  int64_t (*layer_norm_backward_workspace)(int64_t rows, int64_t size);
  void (*layer_norm_forward)(const LayerNormForward<T>&, int threads);
  void (*layer_norm_backward)(const LayerNormBackward<T>&, int threads);
  ActivationKernels<T> activations[6];  // in the order of weft::Activation
  void (*swiglu_forward)(const SwigluForward<T>&, int threads);
  void (*swiglu_backward)(const SwigluBackward<T>&, int threads);
  void (*rotary)(const Rotary<T>&, int threads);
  void (*dropout)(const Dropout<T>&, int threads);
  CrossEntropySums (*cross_entropy_forward)(const CrossEntropyForward<T>&, int threads);
  void (*cross_entropy_backward)(const CrossEntropyBackward<T>&, int threads);
  void (*sgd_update)(const SgdUpdate<T>&, int threads);
  void (*adam_update)(const AdamUpdate<T>&, int threads);
  void (*rmsprop_update)(const RmspropUpdate<T>&, int threads);
  void (*adagrad_update)(const AdagradUpdate<T>&, int threads);
  int64_t (*sum_of_squares_workspace)(int64_t size);  // in doubles
  double (*sum_of_squares)(int64_t size, const T* x, double* workspace, int threads);
  void (*scale)(int64_t size, T* x, double factor, int threads);
};

}  // namespace weft
