// sequential: one layer after the other.
//
//   y = layers[n - 1](... layers[0](x)), or without any x
#pragma once

#include <algorithm>

#include "src/model/ops/operation.hpp"

namespace weft {

template <class T>
struct SequentialNode {
  static constexpr const char* name = "sequential";
  static constexpr bool takes_tokens = true;  // its first layer says whether they may be
  std::vector<Node<T>> layers;

  static SequentialNode read(Entries<T>& entries) { return {entries.layers("layers")}; }

  int64_t expected_inputs(int64_t& halved) const {
    for (const Node<T>& layer : layers)
      if (const int64_t inputs = weft::expected_inputs(layer, halved)) return inputs;
    return 0;
  }
  bool has_recurrent() const { return std::any_of(layers.begin(), layers.end(), weft::has_recurrent<T>); }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) {
    for (size_t i = 0; i < layers.size(); ++i)
      inputs = graph.check(layers[i], inputs, at.inside("layers", i));
    return inputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    Features<T> y;
    for (const Node<T>& layer : layers) {
      Features<T> next = sequences.run(layer, y.data ? y : x);
      sequences.give_back(std::move(y));
      y = std::move(next);
    }
    if (y.data) return y;
    y = sequences.take(x.size);  // no layers
    std::copy_n(x.data.get(), sequences.rows() * x.size, y.data.get());
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    Value y{x.place, x.size, false};  // x is its giver's
    for (const Node<T>& layer : layers) {
      const Value next = program.add(layer, y);
      const bool same = next.place == y.place;
      if (!same) program.give_back(y);
      y = {next.place, next.size, same ? y.owned : next.owned};
    }
    return y;
  }
};

}  // namespace weft
