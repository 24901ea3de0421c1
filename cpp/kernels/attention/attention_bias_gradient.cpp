// The gradient of a bias that was added to the scores of attention:
//
//   S = scale q k^T + bias   =>   dbias = dS, summed over the axes along which the bias was broadcast
//
//   dbias [1 or B, 1 or N, 1 or T, 1 or S]
//
// A task is a tile of dbias: it computes dS (attention_gradient.hpp) of every part of the scores that the
// tile was added to, one after the other.
#include "kernels/attention/attention.hpp"
#include "kernels/attention/attention_blocks.hpp"
#include "kernels/threads/tasks.hpp"

namespace weft::WEFT_ISA {
namespace {

/// A tile of the bias, and every part of the scores that it was added to.
template <class T>
class BiasTask {
 public:
  /// Tiles along the last axes of the bias: [tiles of T, tiles of S].
  static int64_t tiles(const AttentionBiasGradient<T>& call, const BackwardPlan<T>& plan, int axis) {
    if (call.sizes[axis] == 1) return 1;
    return axis == 2 ? plan.query_blocks : plan.key_blocks;
  }
  static int64_t count(const AttentionBiasGradient<T>& call, const BackwardPlan<T>& plan) {
    const Attention<T>& p = call.call.arguments;
    if (p.batch == 0 || p.heads == 0 || p.queries == 0 || p.keys == 0) return 0;
    return call.sizes[0] * call.sizes[1] * tiles(call, plan, 2) * tiles(call, plan, 3);
  }

  BiasTask(const AttentionBiasGradient<T>& call, const BackwardPlan<T>& plan, const BackwardShared<T>& shared,
           const BackwardScratch<T>& scratch)
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
    pack_for_scores(p_, k, p_.k_stride[2], count, scratch_.k_packed);
    scratch_.v_packed.pack_transposed(v, p_.v_stride[2], {0, padded}, count);
    for (int64_t i = blocks.begin; i < blocks.end; ++i) {
      const Range queries = plan_.block_of_queries(i, p_);
      const AttentionTile tile{b, n, queries, keys};
      if (is_empty(intersection(visible.of(queries), keys)) || !passes_mask(p_, tile)) continue;
      const int64_t first = (b * p_.heads + n) * p_.queries + queries.begin;
      const T* q = p_.q + b * p_.q_stride[0] + n * p_.q_stride[1] + queries.begin * p_.q_stride[2];
      const T* dout =
          call.dout + b * call.dout_stride[0] + n * call.dout_stride[1] + queries.begin * call.dout_stride[2];
      copy_scaled(q, p_.q_stride[2], tile.rows(), p_.size, p_.scale, scratch_.q, plan_.size_row);
      GradientTile<T> gradient = scratch_.tile;
      gradient.slope = nullptr;  // the bias is added after the soft cap
      gradient_of_scores<T>(p_, visible, tile, {keys, scratch_.k_packed, scratch_.v_packed},
                            {scratch_.q, dout, plan_.size_row, call.dout_stride[2],
                             call.normalizer + 2 * first, shared_.delta + first},
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
  const BackwardPlan<T>& plan_;
  const BackwardShared<T>& shared_;
  const BackwardScratch<T>& scratch_;
};

}  // namespace

template <class T>
void attention_bias_gradient(const AttentionBiasGradient<T>& call, int threads) {
  const BackwardPlan<T> plan(call.call.arguments);
  Tasks tasks(BiasTask<T>::count(call, plan));
  run_backward<T>(call.call, plan, threads,
                  [&](const BackwardShared<T>& shared, const BackwardScratch<T>& scratch) {
                    for (int64_t i; (i = tasks.take()) < tasks.count();)
                      BiasTask<T>(call, plan, shared, scratch).run(i);
                  });
}

template void attention_bias_gradient(const AttentionBiasGradient<float>&, int);
template void attention_bias_gradient(const AttentionBiasGradient<double>&, int);

}  // namespace weft::WEFT_ISA
