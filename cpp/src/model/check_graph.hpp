// What the checks of operations ask about the nodes inside of them, and say about the graph.
#pragma once

#include <variant>

#include "src/model/place.hpp"

namespace weft {

template <class T>
struct Graph;
template <class T>
struct Node;

constexpr int64_t tokens = -1;  // in place of a number of features

/// What must come into a node: features, tokens, or 0 where it takes any number of features. `halved` is how
/// many of its own come out as one, where it says nothing.
template <class T>
int64_t expected_inputs(const Node<T>& node, int64_t& halved) {
  return std::visit([&](const auto& op) { return op.expected_inputs(halved); }, node.op);
}

/// Does it have a layer whose weights alone decide how many features come out?
template <class T>
bool has_recurrent(const Node<T>& node) {
  const auto has = [](const auto& op) {
    if constexpr (requires { op.has_recurrent(); })
      return op.has_recurrent();
    else
      return false;
  };
  return std::visit(has, node.op);
}

template <class T>
class GraphCheck {
 public:
  explicit GraphCheck(Graph<T>& graph) : graph_(graph) {}

  /// Works out what comes out of a node and of those inside of it.
  int64_t check(Node<T>& node, int64_t inputs, const std::string& path) {
    const auto outputs = [&](auto& op) {
      const Place at(path, op.name);
      if (inputs == tokens && !takes_tokens(op))
        at.refuse("it takes features, but tokens come in: the embedding must be the first layer");
      return op.check(inputs, at, *this);
    };
    return node.outputs = std::visit(outputs, node.op);
  }

  /// The model takes tokens below this.
  void set_vocabulary(int64_t size) { graph_.inputs = size; }
  /// The model has no more steps than that.
  void limit_steps(int64_t places) {
    if (graph_.places == 0 || graph_.places > places) graph_.places = places;
  }
  void refuse_steps(const std::string& why) {
    if (graph_.obstacle.empty()) graph_.obstacle = why;
  }

 private:
  template <class Op>
  static constexpr bool takes_tokens(const Op&) {
    if constexpr (requires { Op::takes_tokens; })
      return Op::takes_tokens;
    else
      return false;
  }

  Graph<T>& graph_;
};

/// Where an operation says in its entries how many features it takes.
inline void check_size(int64_t size, int64_t inputs, const Place& at) {
  if (size != inputs)
    at.refuse("size must be " + std::to_string(inputs) + ", the features that come in, got " +
              std::to_string(size));
}

}  // namespace weft
