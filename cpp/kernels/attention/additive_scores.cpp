// Additive attention scores.
//
//   u = tanh(q[b,t,:] + k[b,s,:])          scores[b,t,s] = <w, u>
//   e = dscores[b,t,s] w (1 - u^2)         dq[b,t,:] = sum over s of e         dk[b,s,:] = sum over t of e
//                                          dw += sum over b, t, s of dscores[b,t,s] u
//
//   q [B, T, A]   k [B, S, A]   w [A]   scores [B, T, S]          B batch, T queries, S keys, A units
//
// u, of T S A elements, is never stored: backward computes it again. Forward divides scores among threads;
// backward divides units, a vector of them at a time, so that every sum over queries or keys is one thread's
// and in one order.
//
// Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", 2014.
#include "kernels/attention/additive_scores.hpp"

#include "kernels/simd/math.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

using namespace Eigen::internal;

/// Keys that a thread takes at least, so that few queries serve many threads.
constexpr int64_t keys_per_block = 64;

/// The weights of the last vector of units, which overlaps the one before: zero where that has counted.
template <class T>
Vec<T> weights_of_the_end(int64_t size, const T* weight) {
  T end[lanes<T>] = {};
  for (int64_t i = size / lanes<T> * lanes<T>; i < size; ++i) end[i + lanes<T> - size] = weight[i];
  return load(end);
}

/// The scores of one query and N keys, whose rows are `row` apart: chains that do not wait for each other.
template <int N, class T>
void score(int64_t size, const T* q, const T* weight, const Vec<T>& end, const T* k, int64_t row, T* scores) {
  Vec<T> sums[N];
  for (Vec<T>& sum : sums) sum = broadcast(T(0));
  const auto add = [&](const Vec<T>& w, int64_t a, int64_t n) __attribute__((always_inline)) {
    const Vec<T> query = load(q + a, n);
    for (int j = 0; j < N; ++j)
      sums[j] = fma(w, WEFT_ISA::tanh(padd(query, load(k + j * row + a, n))), sums[j]);
  };
  int64_t a = 0;
  for (; a + lanes<T> <= size; a += lanes<T>) add(load(weight + a), a, lanes<T>);
  if (size < lanes<T>)
    add(load_partial(weight, size), 0, size);
  else if (a < size)
    add(end, size - lanes<T>, lanes<T>);
  for (int j = 0; j < N; ++j) scores[j] = predux(sums[j]);
}

/// Of n units of one element of the batch, from the a-th: overwrites those of dq, adds to dk[S, lanes], which
/// like k[S, lanes] has them alone; returns those of dw.
template <class T>
Vec<T> gradients(const AdditiveScoresBackward<T>& call, int64_t b, int64_t a, int64_t n, const T* k, T* dk) {
  const AdditiveScores<T>& p = call.arguments;
  const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1)), weight = load(p.weight + a, n);
  Vec<T> dweight = zero;
  for (int64_t t = 0; t < p.queries; ++t) {
    const Vec<T> q = load(p.q + b * p.q_stride[0] + t * p.q_stride[1] + a, n);
    const T* dscores = call.dscores + b * call.dscores_stride[0] + t * call.dscores_stride[1];
    Vec<T> dq = zero, dweight_of_query = zero;
    for (int64_t s = 0; s < p.keys; ++s) {
      if (dscores[s] == 0) continue;  // what is masked may hold NaN
      // scores = <w, u>   =>   dw += dscores u, du = dscores w;      u = tanh(q + k)   =>   e = du (1 - u^2)
      const Vec<T> d = broadcast(dscores[s]);
      const Vec<T> u = WEFT_ISA::tanh(padd(q, load(k + s * lanes<T>)));
      const Vec<T> e = pmul(pmul(d, weight), psub(one, pmul(u, u)));
      dweight_of_query = fma(d, u, dweight_of_query);
      dq = padd(dq, e);
      store(dk + s * lanes<T>, padd(load(dk + s * lanes<T>), e));
    }
    store(call.dq + b * call.dq_stride[0] + t * call.dq_stride[1] + a, dq, n);
    dweight = padd(dweight, dweight_of_query);
  }
  return dweight;
}

}  // namespace

template <class T>
void additive_scores_forward(const AdditiveScoresForward<T>& call, int threads) {
  const AdditiveScores<T>& p = call.arguments;
  const int64_t blocks = (p.keys + keys_per_block - 1) / keys_per_block;
  parallel(threads, [&](int thread, int shares) {
    const Vec<T> ends = weights_of_the_end(p.size, p.weight);
    const Range mine = share(p.batch * p.queries * blocks, thread, shares);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const int64_t b = i / blocks / p.queries, t = i / blocks % p.queries, block = i % blocks;
      const T* q = p.q + b * p.q_stride[0] + t * p.q_stride[1];
      const T* k = p.k + b * p.k_stride[0];
      T* scores = call.scores + b * call.scores_stride[0] + t * call.scores_stride[1];
      const int64_t row = p.k_stride[1], end = min_of((block + 1) * keys_per_block, p.keys);
      int64_t s = block * keys_per_block;
      for (; s + 4 <= end; s += 4) score<4>(p.size, q, p.weight, ends, k + s * row, row, scores + s);
      for (; s < end; ++s) score<1>(p.size, q, p.weight, ends, k + s * row, row, scores + s);
    }
  });
}

template <class T>
int64_t additive_scores_backward_workspace(int64_t batch, int64_t keys, int64_t size, int threads) {
  return batch * round_up(size, lanes<T>) + threads * 2 * keys * lanes<T>;
}

template <class T>
void additive_scores_backward(const AdditiveScoresBackward<T>& call, int threads) {
  const AdditiveScores<T>& p = call.arguments;
  const int64_t padded = round_up(p.size, lanes<T>), vectors = padded / lanes<T>;
  T* const dweights = call.workspace;  // [B, A padded]
  parallel(threads, [&](int thread, int shares) {
    T* const k = dweights + p.batch * padded + thread * 2 * p.keys * lanes<T>;  // [S, lanes], of one vector
    T* const dk = k + p.keys * lanes<T>;
    const Range mine = share(p.batch * vectors, thread, shares);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const int64_t b = i / vectors, a = i % vectors * lanes<T>, n = min_of(p.size - a, lanes<T>);
      for (int64_t s = 0; s < p.keys; ++s) {
        store(k + s * lanes<T>, load(p.k + b * p.k_stride[0] + s * p.k_stride[1] + a, n));
        store(dk + s * lanes<T>, broadcast(T(0)));
      }
      store(dweights + b * padded + a, gradients(call, b, a, n, k, dk));
      for (int64_t s = 0; s < p.keys; ++s)
        store(call.dk + b * call.dk_stride[0] + s * call.dk_stride[1] + a, load(dk + s * lanes<T>), n);
    }
  });
  parallel(threads, [&](int thread, int shares) {
    const Range units = share(p.size, thread, shares, lanes<T>);
    for (int64_t b = 0; b < p.batch; ++b)
      for_each_vector<T>(units.begin, units.end, [&](int64_t a, int64_t n) {
        store(call.dweight + a, padd(load(call.dweight + a, n), load(dweights + b * padded + a)), n);
      });
  });
}

template int64_t additive_scores_backward_workspace<float>(int64_t, int64_t, int64_t, int);
template int64_t additive_scores_backward_workspace<double>(int64_t, int64_t, int64_t, int);
template void additive_scores_forward(const AdditiveScoresForward<float>&, int);
template void additive_scores_forward(const AdditiveScoresForward<double>&, int);
template void additive_scores_backward(const AdditiveScoresBackward<float>&, int);
template void additive_scores_backward(const AdditiveScoresBackward<double>&, int);

// The family, for dispatch.
template const AdditiveScoresKernels<float> additive_scores_kernels<float>;
template const AdditiveScoresKernels<double> additive_scores_kernels<double>;

}  // namespace weft::WEFT_ISA
