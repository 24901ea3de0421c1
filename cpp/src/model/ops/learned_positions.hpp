// learned_positions: a row of features for each step, added. The model has no more steps than there are rows.
//
//   y[t] = x[t] + weight[t]          weight [places, E]
#pragma once

#include "src/model/ops/operation.hpp"

namespace weft {

/// x + table[T, size]
template <class T>
Features<T> plus_places(const Features<T>& x, const T* table, SequenceRun<T>& sequences) {
  Features<T> y = sequences.take(x.size);
  const int64_t sequence = sequences.batch.time * x.size;
  for (int64_t b = 0; b < sequences.batch.size; ++b)
    for (int64_t i = 0; i < sequence; ++i) y.data[b * sequence + i] = x.data[b * sequence + i] + table[i];
  return y;
}

template <class T>
struct LearnedPositionsNode {
  static constexpr const char* name = "learned_positions";
  Weight<T> weight;

  static LearnedPositionsNode read(Entries<T>& entries) { return {entries.weight("weight")}; }

  int64_t expected_inputs(int64_t& halved) const { return halved * columns(weight); }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) const {
    graph.limit_steps(at.expect("weight", weight, "(places, E)", {Place::any, inputs})[0]);
    return inputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    return plus_places(x, data_of(weight), sequences);
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const Value y = program.take(x.size);
    program.append([add = program.kernels.add, table = program.keep(weight), x, y](const Frame<T>& f) {
      add(x.size, f.read(x.place), table + f.position * x.size, f.memory + y.place);
    });
    return y;
  }
};

}  // namespace weft
