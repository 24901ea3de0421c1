// residual: a layer and what passes it by.
//
//   y = x + layer(x)
#pragma once

#include "src/model/ops/operation.hpp"

namespace weft {

template <class T>
struct ResidualNode {
  static constexpr const char* name = "residual";
  std::unique_ptr<Node<T>> layer;

  static ResidualNode read(Entries<T>& entries) { return {entries.layer("layer")}; }

  int64_t expected_inputs(int64_t& halved) const { return weft::expected_inputs(*layer, halved); }
  bool has_recurrent() const { return weft::has_recurrent(*layer); }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) {
    const int64_t inner = graph.check(*layer, inputs, at.inside("layer"));
    if (inner != inputs)
      at.refuse("layer must give as many features as it takes, " + std::to_string(inputs) + ", got " +
                std::to_string(inner));
    return inputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    Features<T> y = sequences.run(*layer, x);
    T* sum = y.data.get();
    const T* past = x.data.get();
    for (int64_t i = 0; i < sequences.rows() * x.size; ++i) sum[i] += past[i];
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const Value inner = program.add(*layer, x);
    const Value y = inner.owned ? inner : program.take(x.size);
    program.append([add = program.kernels.add, x, inner, y](const Frame<T>& f) {
      add(x.size, f.read(x.place), f.read(inner.place), f.memory + y.place);
    });
    return y;
  }
};

}  // namespace weft
