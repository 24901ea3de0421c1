// embedding: a row of features for each token. It comes first in the model.
//
//   y = weight[x]          weight [V, D]
#pragma once

#include "src/model/ops/operation.hpp"
#include "weft/dense.hpp"

namespace weft {

template <class T>
struct EmbeddingNode {
  static constexpr const char* name = "embedding";
  static constexpr bool takes_tokens = true;
  Weight<T> weight;

  static EmbeddingNode read(Entries<T>& entries) { return {entries.weight("weight")}; }

  int64_t expected_inputs(int64_t&) const { return tokens; }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) const {
    if (inputs != tokens) at.refuse("an embedding must be the first layer");
    const std::vector<int64_t> shape = at.expect("weight", weight, "(V, D)", {Place::any, Place::any});
    graph.set_vocabulary(shape[0]);
    return shape[1];
  }

  Features<T> run(const Features<T>&, SequenceRun<T>& sequences) const {
    Features<T> y = sequences.take(weight->shape[1]);
    embedding_forward<T>(sequences.tokens, view_of<2>(weight), sequences.matrix(y), sequences.batch.threads);
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    program.read_rows(weight);
    return {x.place, weight->shape[1], false};
  }
};

}  // namespace weft
