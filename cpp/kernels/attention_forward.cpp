// Scaled dot-product attention, forward: the matrix of scores never exists.
//
//   S = scale q k^T, capped, biased, masked            (attention_scores.hpp)
//   P = exp(S - L)        L = log sum_s exp(S)         out = drop(P) v
//
// A task is some queries of one key head, of all the query heads that share it. It walks over blocks of keys,
// and keeps of each query the greatest score m so far, sum = sum_s exp(S - m) and the row sum_s exp(S - m) v;
// when m grows, both shrink by exp(m_old - m_new). Blocks that none of the queries sees are skipped.
//
//   q [B, N, T, D]   k [B, Nk, S, D]   v [B, Nk, S, E]   out [B, N, T, E]   L [B, N, T]
//
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Rabe and Staats, "Self-attention
// does not need O(n^2) memory", 2021; Dao et al., "FlashAttention", 2022.
#include "arena.hpp"
#include "attention.hpp"
#include "attention_dropout.hpp"
#include "exponential.hpp"
#include "few_rows.hpp"
#include "logarithm.hpp"
#include "tasks.hpp"
#include "weighted_sum.hpp"

namespace weft::WEFT_ISA {
namespace {

using Eigen::internal::padd;
using Eigen::internal::pmax;
using Eigen::internal::pmul;
using Eigen::internal::psub;

/// What a task holds, in rows: those of a strip go through product, softmax and product while in the
/// first-level cache, those of a task share the packed keys.
template <class T>
struct Plan {
  static constexpr int64_t strip = tile_rows(2) * (vector_registers == 32 ? 1 : 4), most_rows = 16 * strip;

  int64_t group, queries, key_block, size_row, value_row, score_row;

  explicit Plan(const Attention<T>& p)
      : group(p.heads / max_of(p.kv_heads, 1)),
        queries(min_of(max_of(p.queries, 1), max_of(most_rows / max_of(group, 1), strip))),
        key_block(
            round_up(min_of(max_of(p.keys, 1), p.size + p.value_size <= 512 ? 256 : 128), 2 * lanes<T>)),
        size_row(row_stride<T>(p.size)),
        value_row(row_stride<T>(p.value_size)),
        score_row(row_stride<T>(key_block)) {
    // equal shares
    const int64_t shares = (p.queries + queries - 1) / queries;
    if (shares > 1) queries = (p.queries + shares - 1) / shares;
  }

  int64_t rows() const { return group * queries; }
  int64_t shares(const Attention<T>& p) const { return (p.queries + queries - 1) / queries; }
};

/// The memory of one thread.
template <class T>
struct Scratch {
  T *q, *k, *v, *scores, *out, *top, *sum;

  static Scratch take(Arena& arena, const Attention<T>& p, const Plan<T>& plan) {
    Scratch s;
    s.q = arena.take<T>(plan.rows() * plan.size_row);
    s.k = arena.take<T>(packed_size<T>(p.size, plan.key_block));
    s.v = arena.take<T>(plan.key_block * plan.value_row);
    s.scores = arena.take<T>(Plan<T>::strip * plan.score_row);
    s.out = arena.take<T>(plan.rows() * plan.value_row);
    s.top = arena.take<T>(plan.rows());
    s.sum = arena.take<T>(plan.rows() * lanes<T>);  // a part in each lane
    return s;
  }
};

/// scores = exp(scores - m) for the new greatest score m; sum and out follow.
template <class T>
void add_to_softmax(T* scores, int64_t columns, T& top, T* sum, T* out, int64_t out_columns) {
  Vec<T> greatest = load(scores);
  for (int64_t i = lanes<T>; i < columns; i += lanes<T>) greatest = pmax(greatest, load(scores + i));
  const T highest = Eigen::internal::predux_max(greatest), m = highest > top ? highest : top;
  const Vec<T> reference = broadcast(m == T(minus_infinity) ? T(0) : m);
  Vec<T> total = load(sum);
  if (m != top) {
    const Vec<T> factor = exponential_not_above_one<T>(psub(broadcast(top), reference));
    total = pmul(total, factor);
    for (int64_t i = 0; i < out_columns; i += lanes<T>) store(out + i, pmul(load(out + i), factor));
    top = m;
  }
  for (int64_t i = 0; i < columns; i += lanes<T>) {
    const Vec<T> weight = exponential_not_above_one<T>(psub(load(scores + i), reference));
    store(scores + i, weight);
    total = padd(total, weight);
  }
  store(sum, total);
}

template <class T>
class Task {
 public:
  Task(const AttentionForward<T>& call, const Plan<T>& plan, const Scratch<T>& scratch, int64_t index)
      : call_(call),
        p_(call.arguments),
        plan_(plan),
        scratch_(scratch),
        b_(index / plan.shares(p_) / p_.kv_heads),
        kv_head_(index / plan.shares(p_) % p_.kv_heads),
        visible_(p_, b_) {
    const int64_t share = plan.shares(p_) - 1 - index % plan.shares(p_);  // those that see most keys first
    queries_ = {share * plan.queries, min_of((share + 1) * plan.queries, p_.queries)};
    // Packing k pays only if enough rows meet it.
    in_place_ = plan.group * (queries_.end - queries_.begin) <= few_rows / 2;
  }

  void run() {
    start();
    const Range keys = visible_.of(queries_);
    for (int64_t s = keys.begin; s < keys.end; s += plan_.key_block) {
      const Range block{s, min_of(s + plan_.key_block, keys.end)};
      take_keys(block);
      for (int64_t g = 0; g < plan_.group; ++g)
        for (int64_t t = queries_.begin; t < queries_.end; t += strip_)
          add_block(g, {t, min_of(t + strip_, queries_.end)}, block);
    }
    finish();
  }

 private:
  int64_t count() const { return queries_.end - queries_.begin; }
  int64_t head(int64_t g) const { return kv_head_ * plan_.group + g; }
  /// Where a query's row is in the scratch.
  int64_t row(int64_t g, int64_t t) const { return g * count() + t - queries_.begin; }

  void start() {
    // Strips of nearly equal height.
    const int64_t most = in_place_ ? min_of(few_rows, Plan<T>::strip) : Plan<T>::strip;
    const int64_t strips = (count() + most - 1) / most;
    strip_ = (count() + strips - 1) / strips;
    for (int64_t g = 0; g < plan_.group; ++g)
      copy_scaled(p_.q + b_ * p_.q_stride[0] + head(g) * p_.q_stride[1] + queries_.begin * p_.q_stride[2],
                  p_.q_stride[2], count(), p_.size, p_.scale,
                  scratch_.q + row(g, queries_.begin) * plan_.size_row, plan_.size_row);
    const int64_t rows = plan_.group * count();
    for (int64_t r = 0; r < rows; ++r) scratch_.top[r] = minus_infinity;
    for (int64_t i = 0; i < rows * lanes<T>; ++i) scratch_.sum[i] = T(0);
    for (int64_t i = 0; i < rows * plan_.value_row; ++i) scratch_.out[i] = T(0);
  }

  void take_keys(Range block) {
    const int64_t columns = block.end - block.begin;
    k_ = p_.k + b_ * p_.k_stride[0] + kv_head_ * p_.k_stride[1] + block.begin * p_.k_stride[2];
    if (!in_place_)
      pack_transposed(k_, p_.k_stride[2], p_.size, columns, scratch_.k, 0, round_up(columns, lanes<T>));
    const T* v = p_.v + b_ * p_.v_stride[0] + kv_head_ * p_.v_stride[1] + block.begin * p_.v_stride[2];
    finite_ = copy_scaled(v, p_.v_stride[2], columns, p_.value_size, T(1), scratch_.v, plan_.value_row);
  }

  /// A strip of queries meets a block of keys.
  void add_block(int64_t g, Range queries, Range block) {
    Range keys = intersection(visible_.of(queries), block);
    if (is_empty(keys)) return;
    const int64_t skipped = (keys.begin - block.begin) / lanes<T> * lanes<T>;  // whole panels
    keys.begin = block.begin + skipped;
    const AttentionTile tile{b_, head(g), queries, keys};
    if (!passes_mask(p_, tile)) return;
    const int64_t rows = tile.rows(), columns = tile.columns(), padded = round_up(columns, lanes<T>);
    const int64_t first = row(g, queries.begin);
    const T* q = scratch_.q + first * plan_.size_row;
    if (in_place_)
      product_of_few_rows<T>(rows, {0, columns}, p_.size, q, plan_.size_row, k_ + skipped * p_.k_stride[2],
                             p_.k_stride[2], nullptr, scratch_.scores, plan_.score_row);
    else
      gemm<T>(rows, padded, p_.size, {q, plan_.size_row, 1}, panels(scratch_.k + skipped * p_.size, p_.size),
              {}, scratch_.scores, plan_.score_row);
    finish_scores<T>(p_, visible_, tile, scratch_.scores, plan_.score_row, nullptr);
    for (int64_t r = 0; r < rows; ++r) {
      T* scores = scratch_.scores + r * plan_.score_row;
      add_to_softmax(scores, padded, scratch_.top[first + r], scratch_.sum + (first + r) * lanes<T>,
                     scratch_.out + (first + r) * plan_.value_row, p_.value_size);
      if (p_.dropped_below > 0) drop_row(p_, tile, r, scores, scores);
    }
    T* out = scratch_.out + first * plan_.value_row;
    const Panels<T> v{scratch_.v + skipped * plan_.value_row, plan_.value_row, lanes<T>};
    weighted_sum<T>(rows, round_up(p_.value_size, lanes<T>), columns, {scratch_.scores, plan_.score_row, 1},
                    {v, finite_}, {out, plan_.value_row}, out, plan_.value_row);
  }

  /// A query that saw nothing has top = -inf, sum = 0 and out = 0.
  void finish() {
    for (int64_t g = 0; g < plan_.group; ++g)
      for (int64_t t = queries_.begin; t < queries_.end; ++t) {
        const int64_t r = row(g, t);
        const T sum = Eigen::internal::predux(load(scratch_.sum + r * lanes<T>));
        const bool alone = scratch_.top[r] == T(minus_infinity) && sum == T(0);
        const Vec<T> inverse = broadcast(alone ? T(0) : T(1) / sum);
        T* out =
            call_.out + b_ * call_.out_stride[0] + head(g) * call_.out_stride[1] + t * call_.out_stride[2];
        const T* from = scratch_.out + r * plan_.value_row;
        for_each_vector<T>(0, p_.value_size,
                           [&](int64_t i, int64_t n) { store(out + i, pmul(load(from + i), inverse), n); });
        call_.logsumexp[(b_ * p_.heads + head(g)) * p_.queries + t] =
            alone ? T(minus_infinity) : scratch_.top[r] + natural_log(sum);
      }
  }

  const AttentionForward<T>& call_;
  const Attention<T>& p_;
  const Plan<T>& plan_;
  const Scratch<T>& scratch_;
  int64_t b_, kv_head_;
  Visibility visible_;
  Range queries_;
  bool in_place_, finite_ = true;
  int64_t strip_ = 1;
  const T* k_ = nullptr;  // of the block
};

}  // namespace

template <class T>
int64_t attention_forward_workspace(const Attention<T>& p, int threads) {
  Arena arena(nullptr);
  Scratch<T>::take(arena, p, Plan<T>(p));
  return int64_t(arena.used()) * threads;
}

template <class T>
void attention_forward(const AttentionForward<T>& call, int threads) {
  const Plan<T> plan(call.arguments);
  const int64_t piece = attention_forward_workspace(call.arguments, 1);
  Tasks tasks(call.arguments.batch * call.arguments.kv_heads * plan.shares(call.arguments));
  parallel(threads, [&](int thread, int) {
    Arena arena(static_cast<char*>(call.workspace) + thread * piece);
    const Scratch<T> scratch = Scratch<T>::take(arena, call.arguments, plan);
    for (int64_t i; (i = tasks.take()) < tasks.count();) Task<T>(call, plan, scratch, i).run();
  });
}

template int64_t attention_forward_workspace(const Attention<float>&, int);
template int64_t attention_forward_workspace(const Attention<double>&, int);
template void attention_forward(const AttentionForward<float>&, int);
template void attention_forward(const AttentionForward<double>&, int);

}  // namespace weft::WEFT_ISA
