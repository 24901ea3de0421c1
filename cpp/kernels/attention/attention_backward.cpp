// Scaled dot-product attention, backward.
//
//   S = scale q k^T, ...      P = exp(S - m) / sum      out = drop(P) v              (attention_forward.cpp)
//
//   dv = drop(P)^T dout       dS from dout, v, P  (attention_gradient.hpp)
//   dk = scale dS^T q         dq = scale dS k
//
// A task is a block of keys: it owns these rows of dk and dv, and walks over the blocks of queries that see
// any of them. To dq, all key blocks of a head add; they do it in order, each waiting for its turn at a block
// of queries, so that the sum's bits do not depend on the threads. A head's tasks are taken in that order
// too: whoever is waited for has been taken by a thread that is at work. Each thread takes heads; one that
// finds none left helps with those that others are at.
//
//   q [B, N, T, D]   k [B, Nk, S, D]   v [B, Nk, S, E]   out [B, N, T, E]   gradients alike
//   normalizer [B, N, T, 2] = (m, sum)
//
// Dao et al., "FlashAttention", 2022.
#include "kernels/attention/attention.hpp"
#include "kernels/attention/attention_blocks.hpp"
#include "kernels/memory/ahead.hpp"
#include "kernels/threads/tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

/// A block of keys of one key head.
template <class T>
class Task {
 public:
  Task(const AttentionBackward<T>& call, const BackwardPlan<T>& plan, const BackwardShared<T>& shared,
       const BackwardScratch<T>& scratch, int64_t head, int64_t block)
      : call_(call),
        p_(call.arguments),
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
    write(scratch_.dk, plan_.size_row, p_.size, call_.dk, call_.dk_stride);
    write(scratch_.dv, plan_.value_row, p_.value_size, call_.dv, call_.dv_stride);
  }

 private:
  static constexpr int64_t edge_strip = 2 * tile_rows(2);

  void pack_keys() {
    const int64_t count = keys_.end - keys_.begin, padded = round_up(count, lanes<T>);
    const T* k = p_.k + b_ * p_.k_stride[0] + kv_head_ * p_.k_stride[1] + keys_.begin * p_.k_stride[2];
    const T* v = p_.v + b_ * p_.v_stride[0] + kv_head_ * p_.v_stride[1] + keys_.begin * p_.v_stride[2];
    finite_k_ = copy_scaled(k, p_.k_stride[2], count, p_.size, T(1), scratch_.k, plan_.size_row);
    pack_for_scores(p_, scratch_.k, plan_.size_row, count, scratch_.k_packed);
    // for dq; scores take the scale with q, as in forward
    copy_scaled(scratch_.k, plan_.size_row, count, p_.size, p_.scale, scratch_.k, plan_.size_row);
    scratch_.v_packed.pack_transposed(v, p_.v_stride[2], {0, padded}, count);
  }

  /// Queries of head n meet the keys: all at once, or along an edge of what they see in strips, each with no
  /// more keys than it needs.
  void add_block(int64_t n, int64_t i, Range queries) {
    int32_t* turn = shared_.turn + (b_ * p_.heads + n) * plan_.query_blocks + i;
    const bool first = visible_.of(queries).begin / plan_.keys == block_;
    const int64_t rows = queries.end - queries.begin;
    const int64_t strips = visible_.is_whole(queries, keys_) ? 1 : (rows + edge_strip - 1) / edge_strip;
    look_ahead(n, i + 1, 3 * strips);
    for (int64_t s = 0; s < strips; ++s)
      add_strip(n, {queries.begin + rows * s / strips, queries.begin + rows * (s + 1) / strips}, first, turn);
    __atomic_store_n(turn, int32_t(block_ + 1), __ATOMIC_RELEASE);
  }

  /// The rows of the next block of queries.
  void look_ahead(int64_t n, int64_t i, int64_t parts) {
    const Range queries = plan_.block_of_queries(i, p_);
    const int64_t rows = queries.end - queries.begin;
    if (rows <= 0) return;
    const auto from = [&](const T* data, const int64_t* stride, int64_t columns) {
      const T* first = data + b_ * stride[0] + n * stride[1] + queries.begin * stride[2];
      return Ahead<T>(first, stride[2], rows, columns, parts);
    };
    next_[0] = from(p_.q, p_.q_stride, p_.size);
    next_[1] = from(call_.dout, call_.dout_stride, p_.value_size);
    next_[2] = from(call_.dq, call_.dq_stride, p_.size);
  }
  void fetch_part() {
    for (Ahead<T>& next : next_) next.fetch_part();
  }

  void add_strip(int64_t n, Range queries, bool first, const int32_t* turn) {
    Range keys = intersection(visible_.of(queries), keys_);
    const int64_t skipped = (keys.begin - keys_.begin) / lanes<T> * lanes<T>;  // whole panels
    keys.begin = keys_.begin + skipped;
    const AttentionTile tile{b_, n, queries, keys};
    const bool any = !is_empty(keys) && passes_mask(p_, tile);
    const int64_t rows = tile.rows(), columns = tile.columns();
    if (any) {
      const T* q = p_.q + b_ * p_.q_stride[0] + n * p_.q_stride[1] + queries.begin * p_.q_stride[2];
      const T* dout = call_.dout + b_ * call_.dout_stride[0] + n * call_.dout_stride[1] +
                      queries.begin * call_.dout_stride[2];
      const bool finite_q =
          copy_scaled(q, p_.q_stride[2], rows, p_.size, p_.scale, scratch_.q, plan_.size_row);
      const bool finite_dout =
          copy_scaled(dout, call_.dout_stride[2], rows, p_.value_size, T(1), scratch_.dout, plan_.value_row);
      const int64_t from = (b_ * p_.heads + n) * p_.queries + queries.begin;
      gradient_of_scores<T>(p_, visible_, tile, {keys_, scratch_.k_packed, scratch_.v_packed},
                            {scratch_.q, scratch_.dout, plan_.size_row, plan_.value_row,
                             call_.normalizer + 2 * from, shared_.delta + from},
                            scratch_.tile);
      fetch_part();
      // out = drop(P) v   =>   dv += drop(P)^T dout
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
    T* dq = call_.dq + b_ * call_.dq_stride[0] + n * call_.dq_stride[1] + queries.begin * call_.dq_stride[2];
    const int64_t dq_row = call_.dq_stride[2];
    if (any)
      weighted_sum<T>(rows, p_.size, columns, {scratch_.tile.dscores, plan_.tile_row, 1},
                      {{scratch_.k + skipped * plan_.size_row, plan_.size_row, lanes<T>}, finite_k_},
                      first ? Epilogue<T>{} : Epilogue<T>{dq, dq_row}, dq, dq_row);
    else if (first)
      zero_rows(dq, dq_row, rows, p_.size);
  }

  /// The sum of all queries; zeros for keys past the row's end.
  void write(const T* from, int64_t from_row, int64_t columns, T* to, const int64_t* stride) {
    T* out = to + b_ * stride[0] + kv_head_ * stride[1] + all_keys_.begin * stride[2];
    const int64_t count = keys_.end - keys_.begin;
    for (int64_t s = 0; s < count; ++s)
      for_each_vector<T>(0, columns, [&](int64_t i, int64_t n) {
        store(out + s * stride[2] + i, load(from + s * from_row + i), n);
      });
    zero_rows(out + count * stride[2], stride[2], all_keys_.end - all_keys_.begin - count, columns);
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
  Ahead<T> next_[3];  // q, dout, dq
};

}  // namespace

template <class T>
int64_t attention_backward_workspace(const Attention<T>& p, int threads) {
  const BackwardPlan<T> plan(p);
  Arena common(nullptr), own(nullptr);
  BackwardShared<T>::take(common, p, plan);
  BackwardScratch<T>::take(own, p, plan);
  return int64_t(common.used() + own.used() * size_t(threads));
}

template <class T>
void attention_backward(const AttentionBackward<T>& call, int threads) {
  const BackwardPlan<T> plan(call.arguments);
  const int64_t heads = call.arguments.batch * call.arguments.kv_heads;
  Tasks tasks(heads);
  run_backward<T>(
      call, plan, threads, [&](const BackwardShared<T>& shared, const BackwardScratch<T>& scratch) {
        const auto take_blocks = [&](int64_t head) {
          for (int64_t j; !interrupted() && (j = __atomic_fetch_add(shared.next_block + head, 1,
                                                                    __ATOMIC_RELAXED)) < plan.key_blocks;)
            Task<T>(call, plan, shared, scratch, head, j).run();
        };
        for (int64_t head; (head = tasks.take()) < heads;) take_blocks(head);
        for (int64_t head = 0; head < heads; ++head) take_blocks(head);
      });
}

template int64_t attention_backward_workspace(const Attention<float>&, int);
template int64_t attention_backward_workspace(const Attention<double>&, int);
template void attention_backward(const AttentionBackward<float>&, int);
template void attention_backward(const AttentionBackward<double>&, int);

}  // namespace weft::WEFT_ISA
