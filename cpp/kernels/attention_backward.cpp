// Scaled dot-product attention, backward.
//
//   S = scale q k^T, ...      P = exp(S - L)      out = drop(P) v                    (attention_forward.cpp)
//
//   dv = drop(P)^T dout       dS from dout, v, P  (attention_gradient.hpp)
//   dk = scale dS^T q         dq = scale dS k
//
// A task is a block of keys: it owns these rows of dk and dv, and walks over the blocks of queries that see
// any of them. To dq, all key blocks of a head add; they do it in order, each waiting for its turn at a block
// of queries, so that the sum's bits do not depend on the threads. Tasks are taken in that order too: whoever
// is waited for has been taken by a thread that is at work.
//
//   q [B, N, T, D]   k [B, Nk, S, D]   v [B, Nk, S, E]   out [B, N, T, E]   L [B, N, T]     gradients alike
//
// Dao et al., "FlashAttention", 2022.
#include "arena.hpp"
#include "attention.hpp"
#include "attention_gradient.hpp"
#include "barrier.hpp"
#include "pack_transposed.hpp"
#include "tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

/// Sizes of blocks. A block of keys: k twice, v, dk and dv stay in the second-level cache.
template <class T>
struct Plan {
  static constexpr int64_t most_queries = vector_registers == 32 ? 70 : 66, block_bytes = 1 << 16;

  int64_t queries, query_blocks, keys, key_blocks, size_row, value_row, tile_row;

  explicit Plan(const Attention<T>& p)
      : size_row(row_stride<T>(p.size)), value_row(row_stride<T>(p.value_size)) {
    query_blocks = (p.queries + most_queries - 1) / most_queries;
    queries = query_blocks == 0 ? 1 : (p.queries + query_blocks - 1) / query_blocks;
    const int64_t widest = max_of(max_of(p.size, p.value_size), 1) * int64_t(sizeof(T));
    const int64_t fitting = max_of(min_of(block_bytes / widest, 256), 64) / (2 * lanes<T>)*(2 * lanes<T>);
    keys = min_of(fitting, round_up(max_of(p.keys, 1), 2 * lanes<T>));
    key_blocks = (p.keys + keys - 1) / keys;
    tile_row = row_stride<T>(keys);
  }

  Range block_of_queries(int64_t i, const Attention<T>& p) const {
    return {i * queries, min_of((i + 1) * queries, p.queries)};
  }
};

/// Of all threads.
template <class T>
struct Shared {
  T* delta;       // [B, N, T]
  int32_t* turn;  // [B, N, query blocks]: the key block that may add to dq

  static Shared take(Arena& arena, const Attention<T>& p, const Plan<T>& plan) {
    Shared s;
    s.delta = arena.take<T>(p.batch * p.heads * p.queries);
    s.turn = arena.take<int32_t>(p.batch * p.heads * plan.query_blocks);
    return s;
  }
};

/// Of one thread.
template <class T>
struct Scratch {
  T *q, *dout, *k_packed, *v_packed, *k, *dk, *dv;
  GradientTile<T> tile;

  static Scratch take(Arena& arena, const Attention<T>& p, const Plan<T>& plan) {
    Scratch s;
    s.q = arena.take<T>(plan.queries * plan.size_row);
    s.dout = arena.take<T>(plan.queries * plan.value_row);
    s.k_packed = arena.take<T>(packed_size<T>(p.size, plan.keys));
    s.v_packed = arena.take<T>(packed_size<T>(p.value_size, plan.keys));
    s.k = arena.take<T>(plan.keys * plan.size_row);
    s.dk = arena.take<T>(plan.keys * plan.size_row);
    s.dv = arena.take<T>(plan.keys * plan.value_row);
    s.tile.weights = arena.take<T>(plan.queries * plan.tile_row);
    s.tile.dscores = arena.take<T>(plan.queries * plan.tile_row);
    s.tile.slope = p.softcap > 0 ? arena.take<T>(plan.queries * plan.tile_row) : nullptr;
    s.tile.row = plan.tile_row;
    return s;
  }
};

template <class T>
void zero_rows(T* to, int64_t to_row, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < columns; ++i) to[r * to_row + i] = T(0);
}

/// Before the tasks: delta, whose turn it is, and zeros for queries that see no key.
template <class T>
void prepare(const AttentionBackward<T>& call, const Plan<T>& plan, const Shared<T>& shared, int64_t index) {
  const Attention<T>& p = call.arguments;
  const int64_t i = index % plan.query_blocks, head = index / plan.query_blocks;  // of B N
  const int64_t b = head / p.heads, n = head % p.heads;
  const Range queries = plan.block_of_queries(i, p);
  const auto at = [&](const int64_t* stride, int64_t t) {
    return b * stride[0] + n * stride[1] + t * stride[2];
  };
  for (int64_t t = queries.begin; t < queries.end; ++t)
    shared.delta[head * p.queries + t] =
        dot(call.dout + at(call.dout_stride, t), call.out + at(call.out_stride, t), p.value_size);
  const Range seen = Visibility(p, b).of(queries);
  shared.turn[index] = int32_t(seen.begin / plan.keys);
  if (is_empty(seen) && call.dq != nullptr)
    zero_rows(call.dq + at(call.dq_stride, queries.begin), call.dq_stride[2], queries.end - queries.begin,
              p.size);
}

/// A block of keys of one key head.
template <class T>
class Task {
 public:
  Task(const AttentionBackward<T>& call, const Plan<T>& plan, const Shared<T>& shared,
       const Scratch<T>& scratch, int64_t index)
      : call_(call),
        p_(call.arguments),
        plan_(plan),
        shared_(shared),
        scratch_(scratch),
        block_(index % plan.key_blocks),
        kv_head_(index / plan.key_blocks % p_.kv_heads),
        b_(index / plan.key_blocks / p_.kv_heads),
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
    write(scratch_.dk, plan_.size_row, p_.size, p_.scale, call_.dk, call_.dk_stride);
    write(scratch_.dv, plan_.value_row, p_.value_size, T(1), call_.dv, call_.dv_stride);
  }

 private:
  static constexpr int64_t edge_strip = 2 * tile_rows(2);

  void pack_keys() {
    const int64_t count = keys_.end - keys_.begin, padded = round_up(count, lanes<T>);
    const T* k = p_.k + b_ * p_.k_stride[0] + kv_head_ * p_.k_stride[1] + keys_.begin * p_.k_stride[2];
    const T* v = p_.v + b_ * p_.v_stride[0] + kv_head_ * p_.v_stride[1] + keys_.begin * p_.v_stride[2];
    finite_k_ = copy_scaled(k, p_.k_stride[2], count, p_.size, p_.scale, scratch_.k, plan_.size_row);
    pack_transposed(scratch_.k, plan_.size_row, p_.size, count, scratch_.k_packed, 0, padded);
    pack_transposed(v, p_.v_stride[2], p_.value_size, count, scratch_.v_packed, 0, padded);
  }

  /// Queries of head n meet the keys: all at once, or along an edge of what they see in strips, each with no
  /// more keys than it needs.
  void add_block(int64_t n, int64_t i, Range queries) {
    int32_t* turn = shared_.turn + (b_ * p_.heads + n) * plan_.query_blocks + i;
    const bool first = visible_.of(queries).begin / plan_.keys == block_;
    const int64_t rows = queries.end - queries.begin;
    const int64_t strips = visible_.is_whole(queries, keys_) ? 1 : (rows + edge_strip - 1) / edge_strip;
    for (int64_t s = 0; s < strips; ++s)
      add_strip(n, {queries.begin + rows * s / strips, queries.begin + rows * (s + 1) / strips}, first, turn);
    __atomic_store_n(turn, int32_t(block_ + 1), __ATOMIC_RELEASE);
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
      const bool finite_q = copy_scaled(q, p_.q_stride[2], rows, p_.size, T(1), scratch_.q, plan_.size_row);
      const bool finite_dout =
          copy_scaled(dout, call_.dout_stride[2], rows, p_.value_size, T(1), scratch_.dout, plan_.value_row);
      const int64_t from = (b_ * p_.heads + n) * p_.queries + queries.begin;
      gradient_of_scores<T>(p_, visible_, tile, {keys_, scratch_.k_packed, scratch_.v_packed},
                            {scratch_.q, scratch_.dout, plan_.size_row, plan_.value_row,
                             call_.logsumexp + from, shared_.delta + from},
                            scratch_.tile);
      // out = drop(P) v   =>   dv += drop(P)^T dout
      T* dv = scratch_.dv + skipped * plan_.value_row;
      weighted_sum<T>(columns, round_up(p_.value_size, lanes<T>), rows,
                      {scratch_.tile.weights, 1, plan_.tile_row},
                      {{scratch_.dout, plan_.value_row, lanes<T>}, finite_dout}, {dv, plan_.value_row}, dv,
                      plan_.value_row);
      // S = scale q k^T   =>   dk += scale dS^T q
      T* dk = scratch_.dk + skipped * plan_.size_row;
      weighted_sum<T>(columns, round_up(p_.size, lanes<T>), rows, {scratch_.tile.dscores, 1, plan_.tile_row},
                      {{scratch_.q, plan_.size_row, lanes<T>}, finite_q}, {dk, plan_.size_row}, dk,
                      plan_.size_row);
    }
    //                   =>   dq += dS (scale k), when it is this block's turn
    Patience patience;
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != block_) patience.wait();
    T* dq = call_.dq + b_ * call_.dq_stride[0] + n * call_.dq_stride[1] + queries.begin * call_.dq_stride[2];
    const int64_t dq_row = call_.dq_stride[2];
    if (any)
      weighted_sum<T>(rows, p_.size, columns, {scratch_.tile.dscores, plan_.tile_row, 1},
                      {{scratch_.k + skipped * plan_.size_row, plan_.size_row, lanes<T>}, finite_k_},
                      first ? Init<T>{} : Init<T>{dq, dq_row}, dq, dq_row);
    else if (first)
      zero_rows(dq, dq_row, rows, p_.size);
  }

  /// The sum of all queries; zeros for keys past the row's end.
  void write(const T* from, int64_t from_row, int64_t columns, T scale, T* to, const int64_t* stride) {
    T* out = to + b_ * stride[0] + kv_head_ * stride[1] + all_keys_.begin * stride[2];
    const int64_t count = keys_.end - keys_.begin;
    for (int64_t s = 0; s < count; ++s)
      for_each_vector<T>(0, columns, [&](int64_t i, int64_t n) {
        store(out + s * stride[2] + i, Eigen::internal::pmul(broadcast(scale), load(from + s * from_row + i)),
              n);
      });
    zero_rows(out + count * stride[2], stride[2], all_keys_.end - all_keys_.begin - count, columns);
  }

  const AttentionBackward<T>& call_;
  const Attention<T>& p_;
  const Plan<T>& plan_;
  const Shared<T>& shared_;
  const Scratch<T>& scratch_;
  int64_t block_, kv_head_, b_;
  Visibility visible_;
  Range all_keys_, keys_;  // with and without those past the row's end
  bool finite_k_ = true;
};

/// A tile of the bias, and every part of the scores that it was added to.
template <class T>
class BiasTask {
 public:
  /// Tiles along the last axes of the bias: [tiles of T, tiles of S].
  static int64_t tiles(const AttentionBiasGradient<T>& call, const Plan<T>& plan, int axis) {
    if (call.sizes[axis] == 1) return 1;
    return axis == 2 ? plan.query_blocks : plan.key_blocks;
  }
  static int64_t count(const AttentionBiasGradient<T>& call, const Plan<T>& plan) {
    const Attention<T>& p = call.call.arguments;
    if (p.batch == 0 || p.heads == 0 || p.queries == 0 || p.keys == 0) return 0;
    return call.sizes[0] * call.sizes[1] * tiles(call, plan, 2) * tiles(call, plan, 3);
  }

  BiasTask(const AttentionBiasGradient<T>& call, const Plan<T>& plan, const Shared<T>& shared,
           const Scratch<T>& scratch)
      : call_(call), p_(call.call.arguments), plan_(plan), shared_(shared), scratch_(scratch) {}

  void run(int64_t index) const {
    const int64_t across = tiles(call_, plan_, 3), down = tiles(call_, plan_, 2);
    const Range keys = part(3, index % across, plan_.key_blocks),
                queries = part(2, index / across % down, plan_.query_blocks);
    const int64_t lead = index / across / down;
    const Range heads = part(1, lead % call_.sizes[1], p_.heads),
                batch = part(0, lead / call_.sizes[1], p_.batch);
    for (int64_t b = batch.begin; b < batch.end; ++b) {
      const Visibility visible(p_, b);
      for (int64_t n = heads.begin; n < heads.end; ++n)
        for (int64_t j = keys.begin; j < keys.end; ++j) add_keys(visible, b, n, queries, j);
    }
  }

 private:
  /// The blocks of an axis that go into one tile: itself, or all of them where the bias was broadcast.
  Range part(int axis, int64_t index, int64_t all) const {
    return call_.sizes[axis] == 1 ? Range{0, all} : Range{index, index + 1};
  }

  void add_keys(const Visibility& visible, int64_t b, int64_t n, Range blocks, int64_t j) const {
    const AttentionBackward<T>& call = call_.call;
    const Range keys = intersection({j * plan_.keys, (j + 1) * plan_.keys}, {0, visible.keys()});
    if (is_empty(keys)) return;
    const int64_t count = keys.end - keys.begin, padded = round_up(count, lanes<T>);
    const int64_t head = n / (p_.heads / p_.kv_heads);
    const T* k = p_.k + b * p_.k_stride[0] + head * p_.k_stride[1] + keys.begin * p_.k_stride[2];
    const T* v = p_.v + b * p_.v_stride[0] + head * p_.v_stride[1] + keys.begin * p_.v_stride[2];
    copy_scaled(k, p_.k_stride[2], count, p_.size, p_.scale, scratch_.k, plan_.size_row);
    pack_transposed(scratch_.k, plan_.size_row, p_.size, count, scratch_.k_packed, 0, padded);
    pack_transposed(v, p_.v_stride[2], p_.value_size, count, scratch_.v_packed, 0, padded);
    for (int64_t i = blocks.begin; i < blocks.end; ++i) {
      const Range queries = plan_.block_of_queries(i, p_);
      const AttentionTile tile{b, n, queries, keys};
      if (is_empty(intersection(visible.of(queries), keys)) || !passes_mask(p_, tile)) continue;
      const int64_t first = (b * p_.heads + n) * p_.queries + queries.begin;
      const T* q = p_.q + b * p_.q_stride[0] + n * p_.q_stride[1] + queries.begin * p_.q_stride[2];
      const T* dout =
          call.dout + b * call.dout_stride[0] + n * call.dout_stride[1] + queries.begin * call.dout_stride[2];
      GradientTile<T> gradient = scratch_.tile;
      gradient.slope = nullptr;  // the bias is added after the soft cap
      gradient_of_scores<T>(
          p_, visible, tile, {keys, scratch_.k_packed, scratch_.v_packed},
          {q, dout, p_.q_stride[2], call.dout_stride[2], call.logsumexp + first, shared_.delta + first},
          gradient);
      add_tile(tile);
    }
  }

  void add_tile(const AttentionTile& tile) const {
    const int64_t* size = call_.sizes;
    int64_t stride[4] = {size[1] * size[2] * size[3], size[2] * size[3], size[3], 1};
    for (int axis = 0; axis < 4; ++axis)
      if (size[axis] == 1) stride[axis] = 0;
    for (int64_t r = 0; r < tile.rows(); ++r) {
      T* to = call_.dbias + tile.element(stride, r);
      const T* from = scratch_.tile.dscores + r * plan_.tile_row;
      for (int64_t i = 0; i < tile.columns(); ++i) to[i * stride[3]] += from[i];
    }
  }

  const AttentionBiasGradient<T>& call_;
  const Attention<T>& p_;
  const Plan<T>& plan_;
  const Shared<T>& shared_;
  const Scratch<T>& scratch_;
};

/// prepare() for all blocks of queries, then run(scratch, task) for each task.
template <class T, class Run>
void for_each_task(const AttentionBackward<T>& call, const Plan<T>& plan, int64_t count, int threads,
                   const Run& run) {
  const Attention<T>& p = call.arguments;
  Arena common(call.workspace), one(nullptr);
  const Shared<T> shared = Shared<T>::take(common, p, plan);
  Scratch<T>::take(one, p, plan);
  char* own = static_cast<char*>(call.workspace) + common.used();
  Tasks tasks(count);
  parallel(threads, [&](int thread, int team) {
    Arena arena(own + thread * one.used());
    const Scratch<T> scratch = Scratch<T>::take(arena, p, plan);
    const Range blocks = share(p.batch * p.heads * plan.query_blocks, thread, team);
    for (int64_t i = blocks.begin; i < blocks.end; ++i) prepare(call, plan, shared, i);
    barrier(team);
    for (int64_t i; (i = tasks.take()) < tasks.count();) run(shared, scratch, i);
  });
}

}  // namespace

template <class T>
int64_t attention_backward_workspace(const Attention<T>& p, int threads) {
  const Plan<T> plan(p);
  Arena common(nullptr), own(nullptr);
  Shared<T>::take(common, p, plan);
  Scratch<T>::take(own, p, plan);
  return int64_t(common.used() + own.used() * size_t(threads));
}

template <class T>
void attention_backward(const AttentionBackward<T>& call, int threads) {
  const Plan<T> plan(call.arguments);
  const int64_t count = call.arguments.batch * call.arguments.kv_heads * plan.key_blocks;
  for_each_task<T>(call, plan, count, threads,
                   [&](const Shared<T>& shared, const Scratch<T>& scratch, int64_t i) {
                     Task<T>(call, plan, shared, scratch, i).run();
                   });
}

template <class T>
void attention_bias_gradient(const AttentionBiasGradient<T>& call, int threads) {
  const Plan<T> plan(call.call.arguments);
  for_each_task<T>(call.call, plan, BiasTask<T>::count(call, plan), threads,
                   [&](const Shared<T>& shared, const Scratch<T>& scratch, int64_t i) {
                     BiasTask<T>(call, plan, shared, scratch).run(i);
                   });
}

template int64_t attention_backward_workspace(const Attention<float>&, int);
template int64_t attention_backward_workspace(const Attention<double>&, int);
template void attention_backward(const AttentionBackward<float>&, int);
template void attention_backward(const AttentionBackward<double>&, int);
template void attention_bias_gradient(const AttentionBiasGradient<float>&, int);
template void attention_bias_gradient(const AttentionBiasGradient<double>&, int);

}  // namespace weft::WEFT_ISA
