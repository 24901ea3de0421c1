// Softmax cross-entropy of a row of logits z with the class t, smoothed by s.
//
//   e_v  = exp(z_v - m)              m = max z
//   S    = e_t + others              others = sum of e_v over v != t
//   p_v  = e_v / S                   q_v = (1 - s) [v = t] + s / V
//   loss = -w sum_v q_v log p_v = w (log S + (1 - s) (m - z_t) + s mean(m - z))
//   dz_v = dloss w (p_v - q_v)       p_t - 1 = -others / S
//
//   logits [R, V]   targets, weight, losses [R]   normalizer [R, 2] = (m, S)          R rows, V classes
//
// Where the target is the most likely class, e_t = 1 and log S = log1p(others): what the other classes have
// left keeps its digits, however little it is, since it is never added to the 1. All terms of the loss are
// >= 0, so that nothing cancels. A single logit of +infinity has probability 1; two of them give NaN.
//
// A row that is ignored, or whose weight is zero, is never read.
#include <math.h>

#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/exponential.hpp"
#include "kernels/simd/isa.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

using namespace Eigen::internal;

inline float log_of(float x) { return ::logf(x); }
inline double log_of(double x) { return ::log(x); }
inline float log_of_one_plus(float x) { return ::log1pf(x); }
inline double log_of_one_plus(double x) { return ::log1p(x); }

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
    top = pmax(top, load(z + size - lanes<T>));  // overlaps, which does not change a maximum
    largest = predux_max(top);
  } else {
    for (int64_t i = 1; i < size; ++i) largest = z[i] > largest ? z[i] : largest;
  }
  return largest;
}

template <class T>
struct RowSums {
  T target, others;  // e_t, sum of the other e_v
  T total() const { return target + others; }
};

/// The sums of a row; use(i, n, e) has every vector of e_v. `unbounded`: m is +infinity, and e_v = [z_v = m].
template <bool unbounded, class T, class Use>
RowSums<T> exponentials(const T* z, T m, int64_t size, int64_t target, const Use& use) {
  const Vec<T> top = broadcast(m), zero = broadcast(T(0)), lane = plset<Vec<T>>(T(0));
  const auto exponential_at = [&](int64_t i, int64_t n) {
    const Vec<T> row = load(z + i, n);
    Vec<T> e;
    if constexpr (unbounded)
      e = pselect(pcmp_eq(row, top), broadcast(T(1)), zero);
    else
      e = exponential<T>(psub(row, top));
    use(i, n, e);
    return e;
  };
  Vec<T> others = zero, targets = zero;  // the second is zero but for the target's lane
  const auto whole = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += lanes<T>) others = padd(others, exponential_at(i, lanes<T>));
  };
  const auto lane_by_lane = [&](int64_t i, int64_t n) {
    const Vec<T> e = pselect(pcmp_lt(lane, broadcast(T(n))), exponential_at(i, n), zero);
    const Vec<T> is_target = pcmp_eq(lane, broadcast(T(target - i)));
    others = padd(others, pselect(is_target, zero, e));
    targets = padd(targets, pselect(is_target, e, zero));
  };
  const int64_t tail = size - size % lanes<T>, at = target - target % lanes<T>;
  whole(0, at);
  if (at < tail) {
    lane_by_lane(at, lanes<T>);
    whole(at + lanes<T>, tail);
  }
  if (tail < size) lane_by_lane(tail, size - tail);
  return {predux(targets), predux(others)};
}
template <class T, class Use>
RowSums<T> exponentials(const T* z, T m, int64_t size, int64_t target, const Use& use) {
  if (m != T(INFINITY)) return exponentials<false>(z, m, size, target, use);
  RowSums<T> result = exponentials<true>(z, m, size, target, use);
  if (result.total() > T(1)) result.others = T(NAN);
  return result;
}

/// m - z, where m >= z: nothing between a logit of infinity and itself.
template <class T>
T below(T m, T z) {
  return z == m ? T(0) : m - z;
}

/// s mean(m - z); the shares are taken before the sum, which might overflow where the mean does not.
template <class T>
T smoothed_part(const T* z, T m, int64_t size, T per_class) {
  if (m == T(INFINITY)) return size > 1 ? m : T(0);
  const Vec<T> top = broadcast(m), share = broadcast(per_class);
  Vec<T> sum = broadcast(T(0));
  int64_t i = 0;
  for (; i + lanes<T> <= size; i += lanes<T>) sum = fma(psub(top, load(z + i)), share, sum);
  T result = predux(sum);
  for (; i < size; ++i) result += (m - z[i]) * per_class;
  return result;
}

template <class T>
T row_loss(const T* z, T m, int64_t size, int64_t target, T smoothing, const RowSums<T>& row) {
  T loss = z[target] == m ? log_of_one_plus(row.others) : log_of(row.total());
  if (smoothing != T(1)) loss += (1 - smoothing) * below(m, z[target]);
  if (smoothing != T(0)) loss += smoothed_part(z, m, size, smoothing / T(size));
  return loss;
}

}  // namespace

template <class T>
CrossEntropySums cross_entropy_forward(const CrossEntropyForward<T>& p, int threads) {
  const T smoothing = T(p.label_smoothing);
  parallel(threads, [&](int thread, int team) {
    const Range rows = share(p.rows, thread, team);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      T loss = 0, m = 0, total = 1;
      if (is_counted<T>(p, r)) {
        const T* z = p.logits + r * p.logits_row;
        m = maximum(z, p.classes);
        const RowSums<T> row =
            exponentials(z, m, p.classes, p.targets[r], [](int64_t, int64_t, const Vec<T>&) {});
        total = row.total();
        loss = row_loss(z, m, p.classes, p.targets[r], smoothing, row);
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
      double scale = p.scale;
      if (p.weight != nullptr) scale *= double(p.weight[r]);
      if (p.dlosses != nullptr) scale *= double(p.dlosses[r]);
      if (!is_counted<T>(p, r) || scale == 0) {  // ignored rows are not multiplied: they may be NaN
        __builtin_memset(dz, 0, size_t(p.classes) * sizeof(T));
        continue;
      }
      // loss = w (log S + (1 - s) (m - z_t) + s mean(m - z))   =>   dz = dloss w (e / S - q)
      const T m = p.normalizer[2 * r], total = p.normalizer[2 * r + 1];
      const Vec<T> factor = broadcast(T(scale) / total), uniform = broadcast(T(scale) * per_class);
      const RowSums<T> row = exponentials(
          p.logits + r * p.logits_row, m, p.classes, p.targets[r],
          [&](int64_t i, int64_t n, const Vec<T>& e) { store(dz + i, psub(pmul(e, factor), uniform), n); });
      dz[p.targets[r]] = T(scale) * (smoothing * (1 - 1 / T(p.classes)) - row.others / total);
    }
  });
}

template CrossEntropySums cross_entropy_forward(const CrossEntropyForward<float>&, int);
template CrossEntropySums cross_entropy_forward(const CrossEntropyForward<double>&, int);
template void cross_entropy_backward(const CrossEntropyBackward<float>&, int);
template void cross_entropy_backward(const CrossEntropyBackward<double>&, int);

}  // namespace weft::WEFT_ISA
