// What the backward kernels of attention share: the sizes of their blocks, their memory, and what is computed
// before either starts.
#pragma once

#include "kernels/attention/attention_gradient.hpp"
#include "kernels/gemm/packed_matrix.hpp"
#include "kernels/memory/arena.hpp"

namespace weft::WEFT_ISA {

/// Sizes of blocks. A block of keys: k twice, v, dk and dv stay in the second-level cache.
template <class T>
struct BackwardPlan {
  static constexpr int64_t most_queries = tuning.most_queries, block_bytes = tuning.keys_bytes;

  int64_t queries, query_blocks, keys, key_blocks, size_row, value_row, tile_row;

  explicit BackwardPlan(const Attention<T>& p)
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
struct BackwardShared {
  T* delta;             // [B, N, T]
  int32_t* turn;        // [B, N, query blocks]: the key block that may add to dq
  int32_t* next_block;  // [B, Nk]: the key block that nobody has taken yet

  static BackwardShared take(Arena& arena, const Attention<T>& p, const BackwardPlan<T>& plan) {
    BackwardShared s;
    s.delta = arena.take<T>(p.batch * p.heads * p.queries);
    s.turn = arena.take<int32_t>(p.batch * p.heads * plan.query_blocks);
    s.next_block = arena.take<int32_t>(p.batch * p.kv_heads);
    return s;
  }
};

/// Of one thread.
template <class T>
struct BackwardScratch {
  T *q, *dout, *k, *dk, *dv;
  PackedMatrix<T> k_packed, v_packed;  // k^T and v^T
  GradientTile<T> tile;

  static BackwardScratch take(Arena& arena, const Attention<T>& p, const BackwardPlan<T>& plan) {
    BackwardScratch s;
    s.q = arena.take<T>(plan.queries * plan.size_row);
    s.dout = arena.take<T>(plan.queries * plan.value_row);
    s.k_packed = PackedMatrix<T>::take(arena, p.size, plan.keys);
    s.v_packed = PackedMatrix<T>::take(arena, p.value_size, plan.keys);
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
void prepare(const AttentionBackward<T>& call, const BackwardPlan<T>& plan, const BackwardShared<T>& shared,
             int64_t index) {
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

/// delta and the like for all queries, then body(shared, scratch) as often as there are threads.
template <class T, class Body>
void run_backward(const AttentionBackward<T>& call, const BackwardPlan<T>& plan, int threads,
                  const Body& body) {
  const Attention<T>& p = call.arguments;
  Arena common(call.workspace), one(nullptr);
  const BackwardShared<T> shared = BackwardShared<T>::take(common, p, plan);
  BackwardScratch<T>::take(one, p, plan);
  char* own = static_cast<char*>(call.workspace) + common.used();
  parallel(threads, [&](int thread, int shares) {
    const Range blocks = share(p.batch * p.heads * plan.query_blocks, thread, shares);
    for (int64_t i = blocks.begin; i < blocks.end; ++i) prepare(call, plan, shared, i);
    for (int64_t i = thread; i < p.batch * p.kv_heads; i += shares) shared.next_block[i] = 0;
  });
  parallel(threads, [&](int thread, int) {
    Arena arena(own + thread * one.used());
    body(shared, BackwardScratch<T>::take(arena, p, plan));
  });
}

}  // namespace weft::WEFT_ISA
