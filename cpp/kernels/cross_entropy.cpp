// Softmax cross-entropy of a row of logits z with the class t, smoothed by s.
//
//   p_v  = exp(z_v - m) / S              m = max z,   S = sum_v exp(z_v - m)
//   q_v  = (1 - s) [v = t] + s / V
//   loss = -w sum_v q_v log p_v = w (log S - (1 - s) (z_t - m) - s mean(z - m))
//   dz_v = dloss w (p_v - q_v)
//
//   logits [R, V]   targets, weight, losses [R]   normalizer [R, 2] = (m, S)          R rows, V classes
//
// A row that is ignored, or whose weight is zero, is never read.
#include <math.h>

#include "exponential.hpp"
#include "isa.hpp"
#include "parallel.hpp"
#include "pointwise.hpp"

namespace weft::WEFT_ISA {
namespace {

using Eigen::internal::padd;
using Eigen::internal::pmax;
using Eigen::internal::pmul;
using Eigen::internal::psub;

inline float natural_log(float x) { return ::logf(x); }
inline double natural_log(double x) { return ::log(x); }

template <class T, class Problem>
bool is_counted(const Problem& p, int64_t r) {
  return p.targets[r] != p.ignore_index && (p.weight == nullptr || p.weight[r] != T(0));
}

template <class T>
T maximum(const T* z, int64_t size) {
  T largest = z[0];
  if (size >= lanes<T>) {
    Vec<T> top = load(z);
    for (int64_t i = lanes<T>; i + lanes<T> <= size; i += lanes<T>) top = pmax(top, load(z + i));
    top = pmax(top, load(z + size - lanes<T>));  // overlaps what was seen: a maximum does not mind
    largest = Eigen::internal::predux_max(top);
  } else {
    for (int64_t i = 1; i < size; ++i) largest = z[i] > largest ? z[i] : largest;
  }
  return largest;
}

template <class T>
struct RowSums {
  T exponentials, shifted;  // sum of exp(z - m), sum of z - m
};

template <class T>
RowSums<T> sums(const T* z, T m, int64_t size, bool smoothed) {
  const Vec<T> top = broadcast(m);
  Vec<T> exponentials = broadcast(T(0)), shifted = broadcast(T(0));
  int64_t i = 0;
  for (; i + lanes<T> <= size; i += lanes<T>) {
    const Vec<T> y = psub(load(z + i), top);
    exponentials = padd(exponentials, exponential<T>(y));
    if (smoothed) shifted = padd(shifted, y);
  }
  RowSums<T> result{Eigen::internal::predux(exponentials), Eigen::internal::predux(shifted)};
  if (i < size) {
    T y[lanes<T>], e[lanes<T>];
    const Vec<T> tail = psub(load_partial(z + i, size - i), top);
    store(y, tail);
    store(e, exponential<T>(tail));
    for (int64_t j = 0; j < size - i; ++j) {
      result.exponentials += e[j];
      result.shifted += y[j];
    }
  }
  return result;
}

}  // namespace

template <class T>
CrossEntropySums cross_entropy_forward(const CrossEntropyForward<T>& p, int threads) {
  const T smoothing = T(p.label_smoothing), per_class = smoothing / T(p.classes);
  parallel(threads, [&](int thread, int team) {
    const Range rows = share(p.rows, thread, team);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      T loss = 0, m = 0, total = 1;
      if (is_counted<T>(p, r)) {
        const T* z = p.logits + r * p.logits_row;
        m = maximum(z, p.classes);
        const RowSums<T> row = sums(z, m, p.classes, smoothing != 0);
        total = row.exponentials;
        loss = natural_log(total) - (1 - smoothing) * (z[p.targets[r]] - m);
        if (smoothing != 0) loss -= per_class * row.shifted;
        if (p.weight != nullptr) loss *= p.weight[r];
      }
      p.losses[r] = loss;
      if (p.normalizer != nullptr) {
        p.normalizer[2 * r] = m;
        p.normalizer[2 * r + 1] = total;
      }
    }
  });
  CrossEntropySums sum{0, 0};
  for (int64_t r = 0; r < p.rows; ++r) {
    sum.loss += double(p.losses[r]);
    if (p.targets[r] != p.ignore_index) sum.weight += p.weight == nullptr ? 1.0 : double(p.weight[r]);
  }
  return sum;
}

template <class T>
void cross_entropy_backward(const CrossEntropyBackward<T>& p, int threads) {
  const T smoothing = T(p.label_smoothing), per_class = smoothing / T(p.classes);
  parallel(threads, [&](int thread, int team) {
    const Range rows = share(p.rows, thread, team);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      T* dz = p.dlogits + r * p.dlogits_row;
      if (!is_counted<T>(p, r)) {
        __builtin_memset(dz, 0, size_t(p.classes) * sizeof(T));
        continue;
      }
      T scale = T(p.scale);
      if (p.weight != nullptr) scale *= p.weight[r];
      if (p.dlosses != nullptr) scale *= p.dlosses[r];
      // loss = w (log S - (1 - s) (z_t - m) - s mean(z - m))   =>   dz = dloss w (exp(z - m) / S - q)
      const T* z = p.logits + r * p.logits_row;
      const Vec<T> top = broadcast(p.normalizer[2 * r]);
      const Vec<T> factor = broadcast(scale / p.normalizer[2 * r + 1]);
      const Vec<T> uniform = broadcast(scale * per_class);
      for_each_vector<T>(0, p.classes, [&](int64_t i, int64_t n) {
        store(dz + i, psub(pmul(exponential<T>(psub(load(z + i, n), top)), factor), uniform), n);
      });
      T& at_target = dz[p.targets[r]];
      if (smoothing == 0) {
        at_target -= scale;
      } else {  // p - q = (p - 1) + s (1 - 1/V), which keeps its digits where p is next to 1
        T e[lanes<T>];
        store(e, exponential<T>(psub(broadcast(z[p.targets[r]]), top)));
        at_target = scale * ((e[0] / p.normalizer[2 * r + 1] - 1) + smoothing * (1 - 1 / T(p.classes)));
      }
    }
  });
}

template CrossEntropySums cross_entropy_forward(const CrossEntropyForward<float>&, int);
template CrossEntropySums cross_entropy_forward(const CrossEntropyForward<double>&, int);
template void cross_entropy_backward(const CrossEntropyBackward<float>&, int);
template void cross_entropy_backward(const CrossEntropyBackward<double>&, int);

}  // namespace weft::WEFT_ISA
