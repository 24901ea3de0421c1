// From a graph to the list of operations of a step.
#pragma once

#include <bit>
#include <map>
#include <string_view>

#include "src/checks/errors.hpp"
#include "src/model/program.hpp"

namespace weft {

/// Places in a stream's memory, in whole cache lines.
template <class T>
class Places {
 public:
  /// For what lasts from step to step: nobody has it before or after.
  int64_t keep(int64_t size) {
    const int64_t place = end_;
    end_ += whole_lines<T>(size);
    return place;
  }
  /// For what is used within a step, until it is given back.
  int64_t take(int64_t size) {
    size = whole_lines<T>(std::max<int64_t>(size, 1));
    for (auto& [place, room] : unused_)
      if (room >= size) {
        const int64_t found = place;
        taken_[found] = room;
        unused_.erase(found);
        return found;
      }
    const int64_t place = keep(size);
    taken_[place] = size;
    return place;
  }
  void give_back(int64_t place) {
    unused_[place] = taken_.at(place);
    taken_.erase(place);
  }
  int64_t end() const { return end_; }

 private:
  std::map<int64_t, int64_t> unused_, taken_;  // place to size
  int64_t end_ = 0;
};

template <class T>
class ProgramBuilder {
 public:
  ProgramBuilder(Program<T>& program, const StepTable& table)
      : program_(program), kernels_(step_kernels<T>(table)) {}

  void build(const Graph<T>& graph) {
    // Weights that many layers share are packed once; but a file could pair one with a thousand biases, or
    // have a million layers share one, each with a state of its own.
    const int64_t most = 16 * graph.weight_bytes + (int64_t(1) << 26);
    most_packed_ = most;
    const Value result = add(graph.root, {incoming, false});
    program_.result_ = result.place;
    program_.size_ = places_.end();
    if (program_.size_ > most / int64_t(sizeof(T))) refuse_shared("their states");
    program_.header_bytes_ = whole_lines<std::byte>(int64_t(program_.caches_.size() * sizeof(CacheLayout)));
  }

 private:
  /// A result. Its owner gives the place back; of others the place is a state, or what came in.
  struct Value {
    int64_t place;
    bool owned;
  };

  Value add(const Node<T>& node, const Value& in) {
    return std::visit([&](const auto& op) { return add(op, node, in); }, node.op);
  }
  Value take(int64_t size) { return {places_.take(size), true}; }
  void give_back(const Value& value) {
    if (value.owned) places_.give_back(value.place);
  }
  template <class Kind>
  void append(Kind operation) {
    program_.operations_.emplace_back(std::move(operation));
  }
  const T* keep(const Weight<T>& weight) {
    if (weight) program_.kept_.push_back(weight);
    return data_of(weight);
  }
  /// What pack(memory) packs into memory of that size, once for each list of weights and numbers.
  template <class Pack>
  const T* packed(std::vector<const void*> key, int64_t size, const Pack& pack) {
    const T*& known = known_[std::move(key)];
    program_.weight_bytes += size * int64_t(sizeof(T));
    if (known != nullptr) return known;
    most_packed_ -= size * int64_t(sizeof(T));
    if (most_packed_ < 0) refuse_shared("they, packed,");
    program_.packed_.push_back(aligned_array<T>(size));
    T* memory = program_.packed_.back().get();
    pack(memory);
    return known = memory;
  }

  [[noreturn]] static void refuse_shared(const std::string& what) {
    fail("Stream", "model shares its weights among so many layers that " + what +
                       " would take many times the memory of the weights");
  }

  // ---- layers of layers ----

  Value add(const SequentialNode<T>& op, const Node<T>&, const Value& in) {
    Value value{in.place, false};  // `in` is its giver's
    for (const Node<T>& layer : op.layers) {
      const Value next = add(layer, value);
      if (next.place != value.place) give_back(value);
      value = next.place != value.place ? next : value;
    }
    return value;
  }
  Value add(const ResidualNode<T>& op, const Node<T>& node, const Value& in) {
    const Value inner = add(*op.layer, in);
    const Value out = inner.owned ? inner : take(node.outputs);
    append(SumOperation<T>{node.outputs, in.place, inner.place, out.place});
    return out;
  }
  Value add(const BidirectionalNode<T>&, const Node<T>&, const Value& in) { return in; }  // refused before

  // ---- layers ----

  Value add(const EmbeddingNode<T>& op, const Node<T>& node, const Value& in) {
    program_.embedding_ = keep(op.weight);
    program_.embedding_size_ = node.outputs;
    return {in.place, false};
  }
  Value add(const LinearNode<T>& op, const Node<T>& node, const Value& in) {
    return linear(op.weight, op.bias, node.inputs, node.outputs, in);
  }
  Value linear(const Weight<T>& weight, const Weight<T>& bias, int64_t inputs, int64_t outputs,
               const Value& in) {
    const T* matrix =
        packed({weight.get(), bias.get()}, kernels_.linear_packed_size(inputs, outputs),
               [&](T* to) { kernels_.pack_linear(inputs, outputs, data_of(weight), data_of(bias), to); });
    const Value out = take(outputs);
    append(LinearOperation<T>{kernels_.linear, inputs, outputs, matrix, in.place, out.place});
    return out;
  }
  Value add(const LayerNormNode<T>& op, const Node<T>& node, const Value& in) {
    const Value out = take(node.outputs);
    append(LayerNormOperation<T>{kernels_.layer_norm, op.size, keep(op.weight), keep(op.bias), op.eps,
                                 in.place, out.place});
    return out;
  }
  Value add(const ActivationNode& op, const Node<T>& node, const Value& in) {
    const Value out = take(node.outputs);
    append(PointwiseOperation<T>{kernels_.activation[int(op.kind)], node.outputs, in.place, out.place});
    return out;
  }
  Value add(const SwigluNode&, const Node<T>& node, const Value& in) {
    const Value out = take(node.outputs);
    append(PointwiseOperation<T>{kernels_.swiglu, node.outputs, in.place, out.place});
    return out;
  }
  Value add(const RecurrentNode<T>& op, const Node<T>& node, const Value& in) {
    const StepCell<T>* cell = kernels_.cells;
    while (std::string_view(cell->name) != op.cell) ++cell;  // it is there: the file was checked
    const StepShape shape{node.inputs, op.hidden, node.outputs};
    const StepWeights<T> weights{shape,
                                 data_of(op.w_ih),
                                 data_of(op.w_hh),
                                 data_of(op.b_ih),
                                 data_of(op.b_hh),
                                 data_of(op.extra),
                                 data_of(op.w_proj),
                                 T(op.zoneout)};
    const T* matrices =
        packed({cell->name, op.w_ih.get(), op.w_hh.get(), op.b_ih.get(), op.b_hh.get(), op.extra.get(),
                op.w_proj.get(), reinterpret_cast<const void*>(std::bit_cast<uintptr_t>(op.zoneout))},
               cell->packed_size(shape), [&](T* to) { cell->pack(weights, to); });
    const int64_t state_size = cell->state_size(shape), state = places_.keep(state_size);
    program_.states_.push_back({state, state_size});
    const Value scratch = take(cell->scratch_size(shape));
    append(CellOperation<T>{cell, shape, matrices, in.place, state, scratch.place});
    give_back(scratch);
    return {state, false};  // it begins with h
  }
  Value add(const LearnedPositionsNode<T>& op, const Node<T>& node, const Value& in) {
    const Value out = take(node.outputs);
    append(LearnedPositionsOperation<T>{node.outputs, keep(op.weight), in.place, out.place});
    return out;
  }
  Value add(const SinusoidalPositionsNode& op, const Node<T>& node, const Value& in) {
    const Value out = take(node.outputs);
    append(SinusoidalPositionsOperation<T>{frequencies(op.base, (op.size + 1) / 2, op.size), op.size,
                                           in.place, out.place});
    return out;
  }
  static std::vector<double> frequencies(double base, int64_t count, int64_t size) {
    std::vector<double> all;
    for (int64_t i = 0; i < count; ++i) all.push_back(frequency(base, i, size));
    return all;
  }

  Value add(const AttentionNode<T>& op, const Node<T>& node, const Value& in) {
    const int64_t N = op.heads, K = op.kv_heads, D = op.size;
    const auto* rotary = std::get_if<RotaryPositions>(&op.positions);
    const Value projected = linear(op.in_weight, op.in_bias, node.inputs, (N + 2 * K) * D, in);
    AttentionOperation<T> attention{};
    AttentionArguments<T>& a = attention.problem;  // what is out of the window is not in the cache
    a.q = {nullptr, {1, N, 1, D}};
    a.k.shape = a.v.shape = {1, K, 0, D};
    a.scale = 1 / std::sqrt(double(D));
    attention.kernel = kernels_.attention;
    attention.cache = program_.caches_.size();
    attention.biased = !rotary && !std::holds_alternative<std::monostate>(op.positions);
    if (rotary) {
      attention.pairs = rotary->dim / 2;
      attention.angles = angles(*rotary);
      attention.interleaved = rotary->interleaved;
    }
    const Value normalizer = take(2 * N), out = take(N * D);
    attention.projected = projected.place, attention.normalizer = normalizer.place, attention.out = out.place;
    AttentionNode<T> positions;
    positions.heads = N, positions.positions = op.positions;
    const bool has_window = op.left >= 0 && op.left < INT64_MAX;
    program_.caches_.push_back(
        {positions, attention.problem, has_window ? op.left + 1 : 0, attention.biased});
    append(std::move(attention));
    const Value y = linear(op.out_weight, op.out_bias, N * D, node.outputs, out);
    for (const Value& used : {projected, normalizer, out}) give_back(used);
    return y;
  }
  /// Where the cosines and sines of the step are; they stay there for the attentions that follow.
  int64_t angles(const RotaryPositions& rotary) {
    const auto [known, is_new] = angles_.try_emplace({rotary.dim, rotary.base}, 0);
    if (is_new) {
      known->second = places_.keep(rotary.dim);
      append(AnglesOperation<T>{frequencies(rotary.base, rotary.dim / 2, rotary.dim), known->second});
    }
    return known->second;
  }

  Program<T>& program_;
  const StepKernels<T>& kernels_;
  Places<T> places_;
  std::map<std::vector<const void*>, const T*> known_;
  std::map<std::pair<int64_t, double>, int64_t> angles_;
  int64_t most_packed_ = 0;  // bytes that are left
};

}  // namespace weft
