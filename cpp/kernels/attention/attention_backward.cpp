// Scaled dot-product attention, backward.
//
//   S  = scale q k^T, ...        P  = exp(S - m) / sum     out = dropout(P) v    (attention_forward.cpp)
//
//   dv = dropout(P)^T dout       dk = scale dS^T q         dq  = scale dS k      (dS: attention_gradient.hpp)
//
// A task is a block of keys: it owns these rows of dk and dv, and walks over the blocks of queries that see
// any of them. All key blocks of a head add to dq. For each block of queries they add in the order of the
// keys, by a spin-wait, so that the bits of the sum do not depend on the threads. Tasks of a head are started
// in that order too, so that the one waited for is always running. Each thread takes heads; one that finds
// none left helps with the heads of others.
//
//   q [B, N, T, D]   k [B, Nk, S, D]   v [B, Nk, S, E]   out [B, N, T, E]   gradients alike
//   normalizer [B, N, T, 2] = (m, sum)
//
// Dao et al., "FlashAttention", 2022.
#include "kernels/attention/attention.hpp"
#include "kernels/attention/attention_blocks.hpp"
#include "kernels/memory/prefetch.hpp"
#include "kernels/threads/tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

/// A block of keys of one key head.
template <class T>
class Task {
 public:
  Task(const AttentionBackward<T>& call, const Attention<T>& problem, const BackwardPlan<T>& plan,
       const BackwardShared<T>& shared, const BackwardScratch<T>& scratch, int64_t head, int64_t block)
      : call_(call),
        p_(problem),
        plan_(plan),
        shared_(shared),
        scratch_(scratch),
        block_(block),
        kv_head_(head % p_.kv_heads),
        b_(head / p_.kv_heads),
        visible_(p_, b_) {
    all_keys_ = {block_ * plan.keys, min_of((block_ + 1) * plan.keys, p_.keys)};
    keys_ = intersection(all_keys_, {0, visible_.keys()});
  }

  void run() {
    zero_rows(scratch_.dk, plan_.size_row, plan_.keys, plan_.size_row);
    zero_rows(scratch_.dv, plan_.value_row, plan_.keys, plan_.value_row);
    bool packed = false;
    const int64_t group = p_.heads / p_.kv_heads;
    for (int64_t n = kv_head_ * group; n < (kv_head_ + 1) * group; ++n)
      for (int64_t i = 0; i < plan_.query_blocks; ++i) {
        const Range queries = plan_.block_of_queries(i, p_);
        if (is_empty(intersection(visible_.of(queries), keys_))) continue;
        if (!packed) pack_keys();
        packed = true;
        add_block(n, i, queries);
      }
    write(scratch_.dk, plan_.size_row, p_.size, call_.dk);
    write(scratch_.dv, plan_.value_row, p_.value_size, call_.dv);
  }

 private:
  static constexpr int64_t edge_strip = 2 * tile_rows(2);

  void pack_keys() {
    const int64_t count = keys_.end - keys_.begin, padded = round_up(count, lanes<T>);
    const T *k = p_.k.row(b_, kv_head_, keys_.begin), *v = p_.v.row(b_, kv_head_, keys_.begin);
    finite_k_ = copy_scaled(k, p_.k.stride[2], count, p_.size, T(1), scratch_.k, plan_.size_row);
    pack_for_scores(p_, scratch_.k, plan_.size_row, count, scratch_.k_packed);
    // for dq; scores take the scale with q, as in forward
    copy_scaled(scratch_.k, plan_.size_row, count, p_.size, p_.scale, scratch_.k, plan_.size_row);
    scratch_.v_packed.pack_transposed(v, p_.v.stride[2], {0, padded}, count);
  }

  /// The queries of head n against the keys: all at once, or along an edge of what they see in strips, each
  /// with no more keys than it needs.
  void add_block(int64_t n, int64_t i, Range queries) {
    int32_t* turn = shared_.turn + (b_ * p_.heads + n) * plan_.query_blocks + i;
    const bool first = visible_.of(queries).begin / plan_.keys == block_;
    const int64_t rows = queries.end - queries.begin;
    const int64_t strips = visible_.is_whole(queries, keys_) ? 1 : (rows + edge_strip - 1) / edge_strip;
    prefetch_next(n, i + 1, 3 * strips);
    for (int64_t s = 0; s < strips; ++s)
      add_strip(n, {queries.begin + rows * s / strips, queries.begin + rows * (s + 1) / strips}, first, turn);
    __atomic_store_n(turn, int32_t(block_ + 1), __ATOMIC_RELEASE);
  }

  /// The rows of the next block of queries.
  void prefetch_next(int64_t n, int64_t i, int64_t parts) {
    const Range queries = plan_.block_of_queries(i, p_);
    const int64_t rows = queries.end - queries.begin;
    if (rows <= 0) return;
    const auto from = [&](const View<const T, 4>& array) {
      return Prefetch<T>(array.row(b_, n, queries.begin), array.stride[2], rows, array.shape[3], parts);
    };
    next_[0] = from(p_.q);
    next_[1] = from(call_.dout);
    next_[2] = from(call_.dq);
  }
  void fetch_part() {
    for (Prefetch<T>& next : next_) next.fetch_part();
  }

  void add_strip(int64_t n, Range queries, bool first, const int32_t* turn) {
    Range keys = intersection(visible_.of(queries), keys_);
    const int64_t skipped = (keys.begin - keys_.begin) / lanes<T> * lanes<T>;  // whole panels
    keys.begin = keys_.begin + skipped;
    const AttentionTile tile{b_, n, queries, keys};
    const bool any = !is_empty(keys) && passes_mask(p_, tile);
    const int64_t rows = tile.rows(), columns = tile.columns();
    if (any) {
      const T *q = p_.q.row(b_, n, queries.begin), *dout = call_.dout.row(b_, n, queries.begin);
      const bool finite_q =
          copy_scaled(q, p_.q.stride[2], rows, p_.size, p_.scale, scratch_.q, plan_.size_row);
      const bool finite_dout =
          copy_scaled(dout, call_.dout.stride[2], rows, p_.value_size, T(1), scratch_.dout, plan_.value_row);
      const int64_t from = (b_ * p_.heads + n) * p_.queries + queries.begin;
      gradient_of_scores<T>(p_, visible_, tile, {keys_, scratch_.k_packed, scratch_.v_packed},
                            {scratch_.q, scratch_.dout, plan_.size_row, plan_.value_row,
                             call_.normalizer.data + 2 * from, shared_.delta + from},
                            scratch_.tile);
      fetch_part();
      // out = dropout(P) v   =>   dv += dropout(P)^T dout
      T* dv = scratch_.dv + skipped * plan_.value_row;
      weighted_sum<T>(columns, round_up(p_.value_size, lanes<T>), rows,
                      {scratch_.tile.weights, 1, plan_.tile_row},
                      {{scratch_.dout, plan_.value_row, lanes<T>}, finite_dout}, {dv, plan_.value_row}, dv,
                      plan_.value_row);
      fetch_part();
      // S = scale q k^T   =>   dk += dS^T (scale q)
      T* dk = scratch_.dk + skipped * plan_.size_row;
      weighted_sum<T>(columns, round_up(p_.size, lanes<T>), rows, {scratch_.tile.dscores, 1, plan_.tile_row},
                      {{scratch_.q, plan_.size_row, lanes<T>}, finite_q}, {dk, plan_.size_row}, dk,
                      plan_.size_row);
    }
    fetch_part();
    //                   =>   dq += dS (scale k), when it is this block's turn
    wait_until(turn, int32_t(block_));
    T* dq = call_.dq.row(b_, n, queries.begin);
    const int64_t dq_row = call_.dq.stride[2];
    if (any)
      weighted_sum<T>(rows, p_.size, columns, {scratch_.tile.dscores, plan_.tile_row, 1},
                      {{scratch_.k + skipped * plan_.size_row, plan_.size_row, lanes<T>}, finite_k_},
                      first ? Epilogue<T>{} : Epilogue<T>{dq, dq_row}, dq, dq_row);
    else if (first)
      zero_rows(dq, dq_row, rows, p_.size);
  }

  /// The sum of all queries; zeros for keys past the row's end.
  void write(const T* from, int64_t from_row, int64_t columns, const View<T, 4>& to) {
    T* out = to.row(b_, kv_head_, all_keys_.begin);
    const int64_t row = to.stride[2];
    const int64_t count = keys_.end - keys_.begin;
    for (int64_t s = 0; s < count; ++s)
      for_each_vector<T>(0, columns, [&](int64_t i, int64_t n) {
        store(out + s * row + i, load(from + s * from_row + i), n);
      });
    zero_rows(out + count * row, row, all_keys_.end - all_keys_.begin - count, columns);
  }

  const AttentionBackward<T>& call_;
  const Attention<T>& p_;
  const BackwardPlan<T>& plan_;
  const BackwardShared<T>& shared_;
  const BackwardScratch<T>& scratch_;
  int64_t block_, kv_head_, b_;
  Visibility visible_;
  Range all_keys_, keys_;  // with and without those past the row's end
  bool finite_k_ = true;
  Prefetch<T> next_[3];  // q, dout, dq
};

}  // namespace

template <class T>
size_t attention_backward_workspace(const AttentionArguments<T>& arguments, int threads) {
  const Attention<T> p(arguments);
  const BackwardPlan<T> plan(p);
  Arena common(nullptr), own(nullptr);
  BackwardShared<T>::take(common, p, plan);
  BackwardScratch<T>::take(own, p, plan);
  return common.used() + own.used() * size_t(threads);
}

template <class T>
void attention_backward(const AttentionBackward<T>& call, int threads) {
  const Attention<T> p(call.arguments);
  const BackwardPlan<T> plan(p);
  const int64_t heads = p.batch * p.kv_heads;
  Tasks tasks(heads);
  run_backward<T>(
      call, p, plan, threads, [&](const BackwardShared<T>& shared, const BackwardScratch<T>& scratch) {
        const auto take_blocks = [&](int64_t head) {
          for (int64_t j; !interrupted() && (j = __atomic_fetch_add(shared.next_block + head, 1,
                                                                    __ATOMIC_RELAXED)) < plan.key_blocks;)
            Task<T>(call, p, plan, shared, scratch, head, j).run();
        };
        for (int64_t head; (head = tasks.take()) < heads;) take_blocks(head);
        for (int64_t head = 0; head < heads; ++head) take_blocks(head);
      });
}

template size_t attention_backward_workspace(const AttentionArguments<float>&, int);
template size_t attention_backward_workspace(const AttentionArguments<double>&, int);
template void attention_backward(const AttentionBackward<float>&, int);
template void attention_backward(const AttentionBackward<double>&, int);

}  // namespace weft::WEFT_ISA
