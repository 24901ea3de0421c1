// What goes into every node and comes out of it, and whether its weights agree.
#include "src/model/check_graph.hpp"

#include "src/model/graph.hpp"

namespace weft {

template <class T>
void check_graph(Graph<T>& graph) {
  int64_t halved = 1;
  const int64_t inputs = expected_inputs(graph.root, halved);
  const Place at("", std::visit([](const auto& op) { return op.name; }, graph.root.op));
  if (inputs == 0) at.refuse("no layer says how many features come in");
  // A size in the JSON may be any number, that of a tensor may not. All other features follow from tensors.
  constexpr int64_t few = 65536;
  if (inputs > few && inputs / 2 > graph.weight_bytes / int64_t(sizeof(T)))
    at.refuse("it takes " + std::to_string(inputs) + " features, more than all weights have elements");
  graph.takes_tokens = inputs == tokens;
  graph.inputs = inputs;  // of tokens: the embedding sets it
  GraphCheck<T>(graph).check(graph.root, inputs, "");
  if (graph.places > 0 && (graph.context == 0 || graph.context > graph.places)) graph.context = graph.places;
}

template void check_graph(Graph<float>&);
template void check_graph(Graph<double>&);

}  // namespace weft
