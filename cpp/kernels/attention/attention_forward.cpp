// Scaled dot-product attention, forward: the matrix of scores never exists.
//
//   S = scale q k^T, capped, biased, masked            (attention_scores.hpp)
//   P = exp(S - m) / sum      m = max_s S      sum = sum_s exp(S - m)      out = drop(P) v
//
// A task is some queries of one key head, of all the query heads that share it. It walks over blocks of keys,
// and keeps of each query the greatest score m so far, sum = sum_s exp(S - m) and the row sum_s exp(S - m) v;
// when m grows, both shrink by exp(m_old - m_new). Blocks that none of the queries sees are skipped.
//
//   q [B, N, T, D]   k [B, Nk, S, D]   v [B, Nk, S, E]   out [B, N, T, E]   normalizer [B, N, T, 2] = (m,
//   sum)
//
// Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Rabe and Staats, "Self-attention
// does not need O(n^2) memory", 2021; Dao et al., "FlashAttention", 2022.
#include "kernels/attention/attention.hpp"
#include "kernels/attention/attention_dropout.hpp"
#include "kernels/gemm/weighted_sum.hpp"
#include "kernels/memory/ahead.hpp"
#include "kernels/memory/arena.hpp"
#include "kernels/simd/exponential.hpp"
#include "kernels/threads/tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

using Eigen::internal::padd;
using Eigen::internal::pmax;
using Eigen::internal::pmul;
using Eigen::internal::psub;

/// Rows of a strip go through product, softmax and product while they are in the first-level cache. A task
/// has as many strips as fit in the second, beside the packed keys that all of them meet; fewer, where
/// threads would be left without work. No bit of a result depends on that.
template <class T>
struct Plan {
  static constexpr int64_t strip = tile_rows(2) * tuning.strip_tiles, task_bytes = tuning.task_bytes;

  int64_t group;
  bool unpacked;  // k and v are read where they lie: copies would pay only if enough queries met them
  int64_t key_block, size_row, value_row, score_row, queries, shares;

  Plan(const Attention<T>& p, int threads)
      : group(p.heads / max_of(p.kv_heads, 1)),
        unpacked(takes_keys_in_place(p)),
        key_block(p.size + p.value_size > 512 ? 128
                  : unpacked                  ? 512
                                              : 256),
        size_row(row_stride<T>(p.size)),
        value_row(row_stride<T>(p.value_size)),
        score_row(row_stride<T>(key_block)) {
    const int64_t heads = max_of(p.batch * p.kv_heads, 1), row = (size_row + value_row) * int64_t(sizeof(T));
    const int64_t most = max_of(task_bytes / row / max_of(group, 1), strip);
    const int64_t wanted = (4 * threads + heads - 1) / heads,
                  possible = (p.queries + 4 * strip - 1) / (4 * strip);
    shares = max_of((p.queries + most - 1) / most, min_of(wanted, possible));
    queries = max_of((p.queries + shares - 1) / max_of(shares, 1), 1);
    shares = (p.queries + queries - 1) / queries;
  }

  int64_t rows() const { return group * queries; }
  /// Of a task; those that see most keys come first.
  int64_t first_query(int64_t index) const { return (shares - 1 - index % shares) * queries; }
};

/// The memory of one thread.
template <class T>
struct Scratch {
  PackedMatrix<T> k;
  T *q, *v, *scores, *part, *out, *top, *sum;

  static Scratch take(Arena& arena, const Attention<T>& p, const Plan<T>& plan) {
    Scratch s;
    s.q = arena.take<T>(plan.rows() * plan.size_row);
    s.k = PackedMatrix<T>::take(arena, p.size, plan.unpacked ? 0 : plan.key_block);
    s.v = arena.take<T>(plan.unpacked ? 0 : plan.key_block * plan.value_row);
    s.scores = arena.take<T>(Plan<T>::strip * plan.score_row);
    s.part = arena.take<T>(Plan<T>::strip * plan.value_row);
    s.out = arena.take<T>(plan.rows() * plan.value_row);
    s.top = arena.take<T>(plan.rows());
    s.sum = arena.take<T>(plan.rows() * lanes<T>);  // a part in each lane
    return s;
  }
};

/// The greatest score of each of `rows` <= lanes rows, each of whole vectors.
template <class T>
void greatest_scores(int64_t rows, const T* scores, int64_t row, int64_t columns, T* greatest) {
  T square[lanes<T> * lanes<T>];
  for (int64_t r = 0; r < lanes<T>; ++r) {
    const T* from = scores + min_of(r, rows - 1) * row;
    Vec<T> most = load(from);
    if (r < rows)
      for (int64_t i = lanes<T>; i < columns; i += lanes<T>) most = pmax(most, load(from + i));
    store(square + r * lanes<T>, most);
  }
  Vec<T> most = broadcast(T(minus_infinity));
  for_each_column(square, int64_t(lanes<T>), [&](int, const Vec<T>& column) { most = pmax(column, most); });
  store(greatest, most);
}

/// scores = exp(scores - m) for the new greatest score m of each row, and its sum follows; what was summed
/// before is to shrink by `factor`, of lanes elements.
template <class T>
void add_to_softmax(int64_t rows, T* scores, int64_t row, int64_t columns, T* top, T* sum, T* factor) {
  T reference[lanes<T>];
  greatest_scores(rows, scores, row, columns, reference);
  for (int64_t r = 0; r < lanes<T>; ++r) {
    if (r >= rows) {
      factor[r] = T(0);
      continue;
    }
    const T m = reference[r] > top[r] ? reference[r] : top[r];
    reference[r] = m == T(minus_infinity) ? T(0) : m;
    factor[r] = top[r] - reference[r];
    top[r] = m;
  }
  store(factor, exponential_not_above_one<T>(load(factor)));
  for (int64_t r = 0; r < rows; ++r, scores += row, sum += lanes<T>) {
    const Vec<T> m = broadcast(reference[r]);
    Vec<T> total = pmul(load(sum), broadcast(factor[r]));
    for (int64_t i = 0; i < columns; i += lanes<T>) {
      const Vec<T> weight = exponential_not_above_one<T>(psub(load(scores + i), m));
      store(scores + i, weight);
      total = padd(total, weight);
    }
    store(sum, total);
  }
}

template <class T>
class Task {
 public:
  Task(const AttentionForward<T>& call, const Plan<T>& plan, const Scratch<T>& scratch, int64_t index,
       int threads)
      : index_(index),
        threads_(threads),
        call_(call),
        p_(call.arguments),
        plan_(plan),
        scratch_(scratch),
        b_(index / plan.shares / p_.kv_heads),
        kv_head_(index / plan.shares % p_.kv_heads),
        visible_(p_, b_) {
    queries_ = {plan.first_query(index), min_of(plan.first_query(index) + plan.queries, p_.queries)};
  }

  void run() {
    start();
    const Range keys = visible_.of(queries_);
    // Blocks begin where they do for every task, since their bounds show in the last bits.
    for (int64_t s = keys.begin / plan_.key_block * plan_.key_block; s < keys.end; s += plan_.key_block) {
      const Range block{s, min_of(s + plan_.key_block, keys.end)};
      take_keys(block);
      if (!plan_.unpacked) look_ahead(block.end, keys.end);
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
    const int64_t strips = (count() + Plan<T>::strip - 1) / Plan<T>::strip;
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
    v_ = p_.v + b_ * p_.v_stride[0] + kv_head_ * p_.v_stride[1] + block.begin * p_.v_stride[2];
    if (plan_.unpacked) return;
    pack_for_scores(p_, k_, p_.k_stride[2], columns, scratch_.k);
    finite_ = copy_scaled(v_, p_.v_stride[2], columns, p_.value_size, T(1), scratch_.v, plan_.value_row);
  }

  /// What comes after this block of keys: the next, or what the thread's next task is likely to begin with.
  void look_ahead(int64_t s, int64_t end) {
    const int64_t strips = (count() + strip_ - 1) / strip_;
    int64_t head = kv_head_, b = b_;
    if (s >= end) {
      const int64_t next = index_ + threads_;
      if (next >= plan_.shares * p_.batch * p_.kv_heads) return;
      s = 0, b = next / plan_.shares / p_.kv_heads, head = next / plan_.shares % p_.kv_heads;
      end = Visibility(p_, b).keys();
      const int64_t first = plan_.first_query(next);
      next_q_ = {p_.q + b * p_.q_stride[0] + head * plan_.group * p_.q_stride[1] + first * p_.q_stride[2],
                 p_.q_stride[2], min_of(plan_.queries, p_.queries - first), p_.size, strips};
      if (next / plan_.shares == index_ / plan_.shares) return;
    }
    const int64_t rows = min_of(plan_.key_block, end - s), parts = plan_.group * strips;
    next_k_ = {p_.k + b * p_.k_stride[0] + head * p_.k_stride[1] + s * p_.k_stride[2], p_.k_stride[2], rows,
               p_.size, parts};
    next_v_ = {p_.v + b * p_.v_stride[0] + head * p_.v_stride[1] + s * p_.v_stride[2], p_.v_stride[2], rows,
               p_.value_size, parts};
  }

  /// A strip of queries meets a block of keys.
  void add_block(int64_t g, Range queries, Range block) {
    next_k_.fetch_part();
    next_v_.fetch_part();
    next_q_.fetch_part();
    Range keys = intersection(visible_.of(queries), block);
    if (is_empty(keys)) return;
    const int64_t skipped = (keys.begin - block.begin) / lanes<T> * lanes<T>;  // whole panels
    keys.begin = block.begin + skipped;
    const AttentionTile tile{b_, head(g), queries, keys};
    if (!passes_mask(p_, tile)) return;
    const int64_t rows = tile.rows(), columns = tile.columns(), padded = round_up(columns, lanes<T>);
    const int64_t first = row(g, queries.begin);
    const T* q = scratch_.q + first * plan_.size_row;
    Ahead<T> values;
    if (plan_.unpacked)
      values = {v_ + skipped * p_.v_stride[2], p_.v_stride[2], columns, p_.value_size, padded / lanes<T>};
    multiply_keys(p_, tile, q, plan_.size_row, scratch_.k.panels(skipped), scratch_.scores, plan_.score_row,
                  [&] { values.fetch_part(); });
    finish_scores<T>(p_, visible_, tile, scratch_.scores, plan_.score_row, nullptr);
    T factors[round_up(Plan<T>::strip, lanes<T>)];
    for (int64_t r = 0; r < rows; r += lanes<T>)
      add_to_softmax(min_of(lanes<T>, rows - r), scratch_.scores + r * plan_.score_row, plan_.score_row,
                     padded, scratch_.top + first + r, scratch_.sum + (first + r) * lanes<T>, factors + r);
    if (p_.dropped_below > 0)
      for (int64_t r = 0; r < rows; ++r)
        drop_row(p_, tile, r, scratch_.scores + r * plan_.score_row, scratch_.scores + r * plan_.score_row);
    add_values(rows, columns, skipped);
    T* out = scratch_.out + first * plan_.value_row;
    const T* part = scratch_.part;
    for (int64_t r = 0; r < rows; ++r, out += plan_.value_row, part += plan_.value_row)
      for (int64_t i = 0; i < p_.value_size; i += lanes<T>)
        store(out + i, fma(load(out + i), broadcast(factors[r]), load(part + i)));
  }

  /// part = weights v: sums of their own, since a chain over all keys would lose digits.
  void add_values(int64_t rows, int64_t columns, int64_t skipped) {
    const Rows<T> weights{scratch_.scores, plan_.score_row, 1};
    const int64_t wide = round_up(p_.value_size, lanes<T>);
    Summands<T> v{{scratch_.v + skipped * plan_.value_row, plan_.value_row, lanes<T>}, finite_};
    if (plan_.unpacked) v = {{v_ + skipped * p_.v_stride[2], p_.v_stride[2], lanes<T>}, true};
    weighted_sum<T>(rows, wide, columns, weights, v, {}, scratch_.part, plan_.value_row);
    // Whether v is finite shows in the sums, and those are no more than a few numbers.
    if (plan_.unpacked && !is_finite(rows, wide, scratch_.part, plan_.value_row))
      weighted_sum<T>(rows, wide, columns, weights, {v.panels, false}, {}, scratch_.part, plan_.value_row);
  }

  /// out / sum. A query that saw nothing has m = -inf, sum = 0 and out = 0.
  void finish() {
    for (int64_t g = 0; g < plan_.group; ++g) {
      const int64_t t = queries_.begin, first = row(g, t);
      T* normalizer = call_.normalizer + 2 * ((b_ * p_.heads + head(g)) * p_.queries + t);
      T* out = call_.out + b_ * call_.out_stride[0] + head(g) * call_.out_stride[1] + t * call_.out_stride[2];
      for (int64_t r = 0; r < count(); ++r, out += call_.out_stride[2]) {
        const T sum = Eigen::internal::predux(load(scratch_.sum + (first + r) * lanes<T>));
        normalizer[2 * r] = scratch_.top[first + r];
        normalizer[2 * r + 1] = sum;
        const Vec<T> inverse = broadcast(sum == T(0) ? T(0) : T(1) / sum);
        const T* from = scratch_.out + (first + r) * plan_.value_row;
        for_each_vector<T>(0, p_.value_size,
                           [&](int64_t i, int64_t n) { store(out + i, pmul(load(from + i), inverse), n); });
      }
    }
  }

  int64_t index_;
  int threads_;
  const AttentionForward<T>& call_;
  const Attention<T>& p_;
  const Plan<T>& plan_;
  const Scratch<T>& scratch_;
  int64_t b_, kv_head_;
  Visibility visible_;
  Range queries_;
  bool finite_ = true;
  int64_t strip_ = 1;
  const T *k_ = nullptr, *v_ = nullptr;  // of the block
  Ahead<T> next_k_, next_v_, next_q_;
};

}  // namespace

template <class T>
int64_t attention_forward_workspace(const Attention<T>& p, int threads) {
  Arena arena(nullptr);
  Scratch<T>::take(arena, p, Plan<T>(p, threads));
  return int64_t(arena.used()) * threads;
}

template <class T>
void attention_forward(const AttentionForward<T>& call, int threads) {
  const Plan<T> plan(call.arguments, threads);
  const int64_t piece = attention_forward_workspace(call.arguments, threads) / threads;
  Tasks tasks(call.arguments.batch * call.arguments.kv_heads * plan.shares);
  parallel(threads, [&](int thread, int shares) {
    Arena arena(static_cast<char*>(call.workspace) + thread * piece);
    const Scratch<T> scratch = Scratch<T>::take(arena, call.arguments, plan);
    for (int64_t i; (i = tasks.take()) < tasks.count();) Task<T>(call, plan, scratch, i, shares).run();
  });
}

template int64_t attention_forward_workspace(const Attention<float>&, int);
template int64_t attention_forward_workspace(const Attention<double>&, int);
template void attention_forward(const AttentionForward<float>&, int);
template void attention_forward(const AttentionForward<double>&, int);

}  // namespace weft::WEFT_ISA
