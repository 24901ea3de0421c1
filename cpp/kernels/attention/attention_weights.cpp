// The weights of scaled dot-product attention, for those who ask for them: a block of queries at a time.
//
//   weights = drop(exp(S - m) / sum)      or the mean of that over the heads
//
//   weights [B, N, T, S] or [B, T, S]     normalizer [B, N, T, 2] = (m, sum)
#include "kernels/attention/attention.hpp"
#include "kernels/attention/attention_dropout.hpp"
#include "kernels/attention/attention_softmax.hpp"
#include "kernels/gemm/weighted_sum.hpp"
#include "kernels/memory/arena.hpp"
#include "kernels/threads/tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t queries_at_once = 64, keys_at_once = 128;

template <class T>
struct Scratch {
  T *q, *scores;
  PackedMatrix<T> k;
  int64_t size_row, score_row;

  static Scratch take(Arena& arena, const Attention<T>& p) {
    Scratch s;
    s.size_row = row_stride<T>(p.size);
    s.score_row = row_stride<T>(keys_at_once);
    s.q = arena.take<T>(queries_at_once * s.size_row);
    s.k = PackedMatrix<T>::take(arena, p.size, keys_at_once);
    s.scores = arena.take<T>(queries_at_once * s.score_row);
    return s;
  }
};

/// The weights of a block of queries of head n, times `share`, added to rows of `weights`.
template <class T>
void add_weights(const AttentionWeights<T>& call, const Scratch<T>& scratch, int64_t b, int64_t n,
                 Range queries, T share, T* weights) {
  const Attention<T>& p = call.arguments;
  const Visibility visible(p, b);
  const int64_t head = n / (p.heads / p.kv_heads), rows = queries.end - queries.begin;
  const T* q = p.q + b * p.q_stride[0] + n * p.q_stride[1] + queries.begin * p.q_stride[2];
  copy_scaled(q, p.q_stride[2], rows, p.size, p.scale, scratch.q, scratch.size_row);
  const Range seen = visible.of(queries);
  for (int64_t s = seen.begin; s < seen.end; s += keys_at_once) {
    const AttentionTile tile{b, n, queries, {s, min_of(s + keys_at_once, seen.end)}};
    if (!passes_mask(p, tile)) continue;
    const int64_t columns = tile.columns(), padded = round_up(columns, lanes<T>);
    const T* k = p.k + b * p.k_stride[0] + head * p.k_stride[1] + s * p.k_stride[2];
    pack_for_scores(p, k, p.k_stride[2], columns, scratch.k);
    multiply_keys(p, tile, scratch.q, scratch.size_row, scratch.k.panels(), scratch.scores, scratch.score_row,
                  [] {});
    finish_scores<T>(p, visible, tile, scratch.scores, scratch.score_row, nullptr);
    for (int64_t r = 0; r < rows; ++r) {
      T* row = scratch.scores + r * scratch.score_row;
      const int64_t query = (b * p.heads + n) * p.queries + queries.begin + r;
      const Softmax<T> softmax(call.normalizer + 2 * query);
      for (int64_t i = 0; i < padded; i += lanes<T>) store(row + i, softmax.weights(load(row + i)));
      if (p.dropped_below > 0) drop_row(p, tile, r, row, row);
      T* to = weights + r * p.keys + s;
      for (int64_t i = 0; i < columns; ++i) to[i] += row[i] * share;
    }
  }
}

}  // namespace

template <class T>
int64_t attention_weights_workspace(const Attention<T>& p, int threads) {
  Arena arena(nullptr);
  Scratch<T>::take(arena, p);
  return int64_t(arena.used()) * threads;
}

template <class T>
void attention_weights(const AttentionWeights<T>& call, int threads) {
  const Attention<T>& p = call.arguments;
  const int64_t blocks = (p.queries + queries_at_once - 1) / queries_at_once;
  const int64_t outer = call.mean ? p.batch : p.batch * p.heads, piece = attention_weights_workspace(p, 1);
  Tasks tasks(outer * blocks);
  parallel(threads, [&](int thread, int) {
    Arena arena(static_cast<char*>(call.workspace) + thread * piece);
    const Scratch<T> scratch = Scratch<T>::take(arena, p);
    for (int64_t task; (task = tasks.take()) < tasks.count();) {
      const int64_t which = task / blocks, first = task % blocks * queries_at_once;
      const Range queries{first, min_of(first + queries_at_once, p.queries)};
      T* weights = call.weights + (which * p.queries + first) * p.keys;
      for (int64_t i = 0; i < (queries.end - queries.begin) * p.keys; ++i) weights[i] = T(0);
      if (!call.mean) add_weights(call, scratch, which / p.heads, which % p.heads, queries, T(1), weights);
      for (int64_t n = 0; call.mean && n < p.heads; ++n)
        add_weights(call, scratch, which, n, queries, T(1) / T(p.heads), weights);
    }
  });
}

template int64_t attention_weights_workspace(const Attention<float>&, int);
template int64_t attention_weights_workspace(const Attention<double>&, int);
template void attention_weights(const AttentionWeights<float>&, int);
template void attention_weights(const AttentionWeights<double>&, int);

// The family, for dispatch.
template const AttentionKernels<float> attention_kernels<float>;
template const AttentionKernels<double> attention_kernels<double>;

}  // namespace weft::WEFT_ISA
