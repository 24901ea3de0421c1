// What an operation of a model's file is: a struct template on the precision T, in a file of its own, and a
// line in list.hpp. docs/model_format.md says what each computes.
//
//   name                       its `op` in the file
//   read(entries)              the struct, from the entries of its node; those not asked for are refused
//   expected_inputs(halved)    `halved` times the features that must come in, `tokens`, or 0: any number
//   check(inputs, at, graph)   features that come out; refuses weights of other shapes
//   run(x, sequences)          y of whole sequences: the calls that Python's predict makes, the same bits
//   step(x, program)           adds to the program what a stream does for y of one step, if the graph has no
//                              obstacle
//
// And if it is so: `static constexpr bool takes_tokens = true`, for what may come first in a model over
// tokens; has_recurrent(), where a layer in it has weights that alone decide how many features come out.
#pragma once

#include <concepts>

#include "src/model/check_graph.hpp"
#include "src/model/entries.hpp"
#include "src/model/program_builder.hpp"
#include "src/model/sequence_run.hpp"

namespace weft {

template <class Op, class T>
concept Operation = requires(Op& op, const Op& checked, Entries<T>& entries, int64_t& halved, int64_t inputs,
                             const Place& at, GraphCheck<T>& graph, const Features<T>& x,
                             SequenceRun<T>& sequences, const Value& in, ProgramBuilder<T>& program) {
  { Op::name } -> std::convertible_to<const char*>;
  { Op::read(entries) } -> std::same_as<Op>;
  { checked.expected_inputs(halved) } -> std::same_as<int64_t>;
  { op.check(inputs, at, graph) } -> std::same_as<int64_t>;
  { checked.run(x, sequences) } -> std::same_as<Features<T>>;
  { checked.step(in, program) } -> std::same_as<Value>;
};

}  // namespace weft
