#include "src/model/run_graph.hpp"

#include <span>

#include "src/model/features.hpp"
#include "src/model/positions.hpp"
#include "weft/attention.hpp"
#include "weft/config.hpp"
#include "weft/dense.hpp"
#include "weft/recurrent.hpp"

namespace weft {
namespace {

template <class T>
class Runner {
 public:
  Runner(const Batch& batch, View<const int64_t, 1> tokens, FeaturePool<T>& pool)
      : batch_(batch), tokens_(tokens), pool_(pool) {}

  Features<T> run(const Node<T>& node, const Features<T>& x) {
    return std::visit([&](const auto& op) { return run(op, x, node); }, node.op);
  }

 private:
  Features<T> take(int64_t size) { return pool_.take(size); }
  int64_t rows() const { return batch_.size * batch_.time; }
  View<T, 2> matrix(const Features<T>& features) const {
    return {features.data.get(), {rows(), features.size}};
  }
  View<T, 3> sequences(const Features<T>& features) const { return part(features, 0, features.size); }
  /// Some of the features.
  View<T, 3> part(const Features<T>& y, int64_t first, int64_t size) const {
    return {y.data.get() + first, {batch_.size, batch_.time, size}, {batch_.time * y.size, y.size, 1}};
  }
  int threads() const { return batch_.threads > 0 ? batch_.threads : num_threads(); }

  // ---- layers of layers ----

  Features<T> run(const SequentialNode<T>& op, const Features<T>& x, const Node<T>&) {
    Features<T> y;
    for (const Node<T>& layer : op.layers) {
      Features<T> next = run(layer, y.data ? y : x);
      pool_.give_back(std::move(y));
      y = std::move(next);
    }
    if (y.data) return y;
    y = take(x.size);  // no layers
    std::copy_n(x.data.get(), rows() * x.size, y.data.get());
    return y;
  }

  Features<T> run(const ResidualNode<T>& op, const Features<T>& x, const Node<T>&) {
    Features<T> y = run(*op.layer, x);
    T* sum = y.data.get();
    const T* past = x.data.get();
    for (int64_t i = 0; i < rows() * x.size; ++i) sum[i] += past[i];
    return y;
  }

  Features<T> run(const BidirectionalNode<T>& op, const Features<T>& x, const Node<T>& node) {
    Features<T> y = take(node.outputs);
    const int64_t first = op.forwards->outputs;
    const auto* forwards = std::get_if<RecurrentNode<T>>(&op.forwards->op);
    const auto* backwards = std::get_if<RecurrentNode<T>>(&op.backwards->op);
    if (forwards && backwards && forwards->cell == backwards->cell) {
      const Direction directions[] = {{forwards, part(y, 0, first), false},
                                      {backwards, part(y, first, node.outputs - first), true}};
      run_cells(directions, x);
      return y;
    }
    Features<T> ahead = run(*op.forwards, x);
    copy_sequences(batch_, sequences(ahead), part(y, 0, first));
    pool_.give_back(std::move(ahead));
    Features<T> reversed = take(x.size);
    copy_sequences(batch_, sequences(x), sequences(reversed), true);
    Features<T> behind = run(*op.backwards, reversed);
    pool_.give_back(std::move(reversed));
    copy_sequences(batch_, sequences(behind), part(y, first, behind.size), true);
    pool_.give_back(std::move(behind));
    return y;
  }

  // ---- layers ----

  Features<T> run(const EmbeddingNode<T>& op, const Features<T>&, const Node<T>& node) {
    Features<T> y = take(node.outputs);
    embedding_forward<T>(tokens_, view_of<2>(op.weight), matrix(y), batch_.threads);
    return y;
  }

  Features<T> run(const LinearNode<T>& op, const Features<T>& x, const Node<T>&) {
    return linear(x, op.weight, op.bias);
  }
  Features<T> linear(const Features<T>& x, const Weight<T>& weight, const Weight<T>& bias) {
    Features<T> y = take(weight->shape[0]);
    const int64_t size = linear_forward_workspace<T>(x.size, y.size, batch_.threads);
    const AlignedArray<T> workspace = aligned_array<T>(size);
    linear_forward<T>(matrix(x), view_of<2>(weight), view_of<1>(bias), matrix(y), {workspace.get(), {size}},
                      batch_.threads);
    return y;
  }

  Features<T> run(const LayerNormNode<T>& op, const Features<T>& x, const Node<T>&) {
    Features<T> y = take(x.size), mean = take(2), inverse_deviation = take(1);
    layer_norm_forward<T>(matrix(x), view_of<1>(op.weight), view_of<1>(op.bias), op.eps, matrix(y),
                          {mean.data.get(), {rows(), 2}}, {inverse_deviation.data.get(), {rows()}},
                          batch_.threads);
    pool_.give_back(std::move(mean));
    pool_.give_back(std::move(inverse_deviation));
    return y;
  }

  Features<T> run(const ActivationNode& op, const Features<T>& x, const Node<T>&) {
    Features<T> y = take(x.size);
    const int64_t count = rows() * x.size;
    activation_forward<T>(op.kind, {x.data.get(), {count}}, {y.data.get(), {count}}, batch_.threads);
    return y;
  }

  Features<T> run(const SwigluNode&, const Features<T>& x, const Node<T>& node) {
    Features<T> y = take(node.outputs);
    swiglu_forward<T>(matrix(x), matrix(y), batch_.threads);
    return y;
  }

  Features<T> run(const RecurrentNode<T>& op, const Features<T>& x, const Node<T>& node) {
    Features<T> y = take(node.outputs);
    const Direction direction[] = {{&op, sequences(y), false}};
    run_cells(direction, x);
    return y;
  }

  struct Direction {
    const RecurrentNode<T>* op;
    View<T, 3> y;
    bool reverse;
  };
  /// Of one cell, side by side.
  void run_cells(std::span<const Direction> directions, const Features<T>& x) {
    std::vector<RecurrentForwardCall<T>> calls;
    std::vector<AlignedArray<T>> memory;
    std::vector<AlignedArray<std::byte>> workspaces;
    const auto own = [&](int64_t size) {
      memory.push_back(aligned_array<T>(size));
      return memory.back().get();
    };
    for (const auto& [op, y, reverse] : directions) {
      const int64_t state = y.shape[2], B = batch_.size;
      RecurrentArguments<T> a;
      a.cell = op->cell;
      a.x = sequences(x);
      a.w_ih = view_of<2>(op->w_ih), a.w_hh = view_of<2>(op->w_hh);
      a.b_ih = view_of<1>(op->b_ih), a.b_hh = view_of<1>(op->b_hh);
      a.extra = view_of<2>(op->extra), a.w_proj = view_of<2>(op->w_proj);
      a.lengths = batch_.lengths;
      if (op->zoneout > 0) {
        T* kept = own(state);
        std::fill_n(kept, state, T(op->zoneout));
        a.zoneout_mask = {kept, {B, batch_.time, state}, {0, 0, 1}};
      }
      a.reverse = reverse;
      a.threads = std::max(1, threads() / int(directions.size()));
      const size_t bytes = recurrent_sizes<T>(a, false).forward_workspace;
      workspaces.push_back(aligned_array<std::byte>(int64_t(bytes)));
      const auto own_state = [&](int64_t size) {
        return View<T, 2>(own(checked_product("run", "the size of a layer's state", B, size)), {B, size});
      };
      const View<T, 2> h_n = own_state(state), c_n = own_state(op->hidden);
      calls.push_back({a, {y, h_n, c_n}, nullptr, workspaces.back().get()});
    }
    recurrent_forward<T>(std::span<const RecurrentForwardCall<T>>(calls));
  }

  Features<T> run(const LearnedPositionsNode<T>& op, const Features<T>& x, const Node<T>&) {
    return plus_places(x, op.weight->data.get());
  }
  Features<T> run(const SinusoidalPositionsNode& op, const Features<T>& x, const Node<T>&) {
    const AlignedArray<T> table = aligned_array<T>(batch_.time * op.size);
    for (int64_t i = 0; i < op.size; ++i) {
      const double step = frequency(op.base, i / 2, op.size);
      for (int64_t t = 0; t < batch_.time; ++t) {
        const double angle = double(t) * step;
        table[t * op.size + i] = T(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
      }
    }
    return plus_places(x, table.get());
  }
  /// x + table[T, size]
  Features<T> plus_places(const Features<T>& x, const T* table) {
    Features<T> y = take(x.size);
    const int64_t sequence = batch_.time * x.size;
    for (int64_t b = 0; b < batch_.size; ++b)
      for (int64_t i = 0; i < sequence; ++i) y.data[b * sequence + i] = x.data[b * sequence + i] + table[i];
    return y;
  }

  Features<T> run(const AttentionNode<T>& op, const Features<T>& x, const Node<T>&) {
    const int64_t B = batch_.size, N = op.heads, K = op.kv_heads, D = op.size, time = batch_.time;
    Features<T> projected = linear(x, op.in_weight, op.in_bias);
    const int64_t wide = projected.size;
    const auto heads = [&](int64_t first, int64_t count) {
      return View<T, 4>{projected.data.get() + first * D, {B, count, time, D}, {time * wide, D, wide, 1}};
    };
    AttentionArguments<T> a;
    a.q = heads(0, N), a.k = heads(N, K), a.v = heads(N + K, K);
    a.kv_lengths = batch_.lengths;
    a.scale = 1 / std::sqrt(double(D));
    a.left = op.left, a.right = op.right;
    a.threads = threads();
    a.operation = "run";
    AlignedArray<T> bias;
    if (const auto* rotary = std::get_if<RotaryPositions>(&op.positions)) {
      turn(*rotary, heads(0, N), heads(N, K));
    } else if (!std::holds_alternative<std::monostate>(op.positions)) {
      // Of a key that stands d after its query at [n, d + T - 1].
      const int64_t distances = 2 * time - 1;
      bias = aligned_array<T>(N * distances);
      for (int64_t n = 0; n < N; ++n) fill_score_bias(op, n, 1 - time, distances, bias.get() + n * distances);
      a.bias = {bias.get() + time - 1, {B, N, time, time}, {0, distances, -1, 1}};
      // As Python: the distance to the last query instead, which to a softmax over earlier keys is the same.
      if (op.causal && std::holds_alternative<AlibiPositions>(op.positions))
        a.bias.data = bias.get(), a.bias.stride[2] = 0;
    }
    Features<T> read = take(N * D), normalizer = take(2 * N);
    const View<T, 4> out(read.data.get(), {B, N, time, D}, {time * N * D, D, N * D, 1});
    const AlignedArray<std::byte> workspace =
        aligned_array<std::byte>(int64_t(attention_forward_workspace(a)));
    attention_forward<T>(a, out, {normalizer.data.get(), {B, N, time, 2}}, workspace.get());
    Features<T> y = linear(read, op.out_weight, op.out_bias);
    for (Features<T>* used : {&projected, &read, &normalizer}) pool_.give_back(std::move(*used));
    return y;
  }

  /// Turns queries and keys where they lie.
  void turn(const RotaryPositions& rotary, const View<T, 4>& q, const View<T, 4>& k) const {
    const int64_t pairs = rotary.dim / 2, time = batch_.time;
    const AlignedArray<T> cos = aligned_array<T>(time * pairs), sin = aligned_array<T>(time * pairs);
    for (int64_t i = 0; i < pairs; ++i) {
      const double step = frequency(rotary.base, i, rotary.dim);
      for (int64_t t = 0; t < time; ++t) {
        cos[t * pairs + i] = T(std::cos(double(t) * step));
        sin[t * pairs + i] = T(std::sin(double(t) * step));
      }
    }
    const View<const T, 3> cosines(cos.get(), {1, time, pairs}), sines(sin.get(), {1, time, pairs});
    for (const View<T, 4>& heads : {q, k})
      rotary_forward<T>(heads, cosines, sines, rotary.interleaved, heads, batch_.threads);
  }

  Batch batch_;
  View<const int64_t, 1> tokens_;  // [B T]
  FeaturePool<T>& pool_;
};

}  // namespace

template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const T, 3> x, View<T, 3> y) {
  FeaturePool<T> pool(batch);
  const Features<T> features = pool.take(x.shape[2]);
  copy_sequences<const T, T>(batch, x, {features.data.get(), x.shape});
  const Features<T> result = Runner<T>(batch, {}, pool).run(graph.root, features);
  copy_sequences<const T, T>(batch, {result.data.get(), y.shape}, y);
}

template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const int64_t, 2> tokens, View<T, 3> y) {
  const auto [B, time] = tokens.shape.at;
  std::vector<int64_t> rows(size_t(B * time));
  copy_sequences<const int64_t, int64_t>(batch,
                                         {tokens.data, {B, time, 1}, {tokens.stride[0], tokens.stride[1], 1}},
                                         {rows.data(), {B, time, 1}});
  FeaturePool<T> pool(batch);
  const Features<T> result = Runner<T>(batch, {rows.data(), {B * time}}, pool).run(graph.root, {});
  copy_sequences<const T, T>(batch, {result.data.get(), y.shape}, y);
}

#define WEFT_INSTANTIATE(T)                                                             \
  template void run_graph(const Graph<T>&, const Batch&, View<const T, 3>, View<T, 3>); \
  template void run_graph(const Graph<T>&, const Batch&, View<const int64_t, 2>, View<T, 3>);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
