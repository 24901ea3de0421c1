// bidirectional: a layer from each end of the sequences. It cannot be stepped.
//
//   y = [forwards(x); backwards(x reversed) reversed]
#pragma once

#include "src/model/ops/recurrent.hpp"

namespace weft {

template <class T>
struct BidirectionalNode {
  static constexpr const char* name = "bidirectional";
  std::unique_ptr<Node<T>> forwards, backwards;

  static BidirectionalNode read(Entries<T>& entries) {
    return {entries.layer("forwards"), entries.layer("backwards")};
  }

  int64_t expected_inputs(int64_t& halved) const { return weft::expected_inputs(*forwards, halved); }
  bool has_recurrent() const { return true; }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>& graph) {
    graph.refuse_steps("the bidirectional layer" + at.at() + " reads every sequence from its end too");
    // Without weights of their own, layers could double the features without end.
    if (!weft::has_recurrent(*forwards) || !weft::has_recurrent(*backwards))
      at.refuse("forwards and backwards must each have a recurrent layer");
    const int64_t first = graph.check(*forwards, inputs, at.inside("forwards"));
    return first + graph.check(*backwards, inputs, at.inside("backwards"));
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    const int64_t first = forwards->outputs, second = backwards->outputs;
    Features<T> y = sequences.take(first + second);
    const View<T, 3> left = sequences.part(y, 0, first), right = sequences.part(y, first, second);
    const auto* ahead = std::get_if<RecurrentNode<T>>(&forwards->op);
    const auto* back = std::get_if<RecurrentNode<T>>(&backwards->op);
    if (ahead && back && ahead->cell == back->cell) {
      const RecurrentDirection<T> directions[] = {{ahead, left, false}, {back, right, true}};
      run_cells<T>(directions, x, sequences);
      return y;
    }
    Features<T> from_begin = sequences.run(*forwards, x);
    copy_sequences(sequences.batch, sequences.sequences(from_begin), left);
    sequences.give_back(std::move(from_begin));
    Features<T> reversed = sequences.take(x.size);
    copy_sequences(sequences.batch, sequences.sequences(x), sequences.sequences(reversed), true);
    Features<T> from_end = sequences.run(*backwards, reversed);
    sequences.give_back(std::move(reversed));
    copy_sequences(sequences.batch, sequences.sequences(from_end), right, true);
    sequences.give_back(std::move(from_end));
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>&) const { return x; }  // refused before
};

}  // namespace weft
