// A model as plain data: a struct for each op of docs/model_format.md, read from its file and checked.
//
// V vocabulary, I inputs, O outputs, E features, G gates, H hidden units, P width of the state, N heads, K
// heads of keys, D features of a head, R buckets of distances.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "src/model/aligned.hpp"
#include "weft/pointwise.hpp"
#include "weft/view.hpp"

namespace weft {

/// A tensor of the file. Nodes that name the same one share it.
template <class T>
struct Array {
  std::vector<int64_t> shape;
  AlignedArray<T> data;
};
template <class T>
using Weight = std::shared_ptr<const Array<T>>;  // null where it is optional and absent

/// Null for an absent weight.
template <class T>
const T* data_of(const Weight<T>& weight) {
  return weight ? weight->data.get() : nullptr;
}
template <int N, class T>
View<const T, N> view_of(const Weight<T>& weight) {
  if (!weight) return {};
  Axes<N> shape;
  for (int axis = 0; axis < N; ++axis) shape[axis] = weight->shape[size_t(axis)];
  return {weight->data.get(), shape};
}

template <class T>
struct Node;

template <class T>
struct SequentialNode {
  static constexpr const char* name = "sequential";
  std::vector<Node<T>> layers;
};
template <class T>
struct ResidualNode {
  static constexpr const char* name = "residual";
  std::unique_ptr<Node<T>> layer;
};
template <class T>
struct BidirectionalNode {
  static constexpr const char* name = "bidirectional";
  std::unique_ptr<Node<T>> forwards, backwards;
};
template <class T>
struct EmbeddingNode {
  static constexpr const char* name = "embedding";
  Weight<T> weight;  // [V, D]
};
template <class T>
struct LinearNode {
  static constexpr const char* name = "linear";
  Weight<T> weight, bias;  // [O, I], [O] optional
};
template <class T>
struct LayerNormNode {
  static constexpr const char* name = "layer_norm";
  int64_t size = 0;
  double eps = 0;
  Weight<T> weight, bias;  // [size] optional
};
struct ActivationNode {
  static constexpr const char* name = "activation";
  Activation kind = Activation::relu;
};
struct SwigluNode {
  static constexpr const char* name = "swiglu";
};
template <class T>
struct RecurrentNode {
  static constexpr const char* name = "recurrent";
  const char* cell = "";  // static
  int64_t hidden = 0;     // H; P is the node's outputs
  Weight<T> w_ih, w_hh;   // [G H, I], [G H, P]
  Weight<T> b_ih, b_hh;   // [G H] optional
  Weight<T> extra;        // [E, H] where the cell has such
  Weight<T> w_proj;       // [P, H] optional
  double zoneout = 0;
};
template <class T>
struct LearnedPositionsNode {
  static constexpr const char* name = "learned_positions";
  Weight<T> weight;  // [places, E]
};
struct SinusoidalPositionsNode {
  static constexpr const char* name = "sinusoidal_positions";
  int64_t size = 0;
  double base = 0;
};

struct RotaryPositions {
  int64_t dim = 0;
  double base = 0;
  bool interleaved = false;
};
struct AlibiPositions {};
template <class T>
struct RelativePositions {
  Weight<T> weight;  // [R, N]
  int64_t max_distance = 0;
  bool bidirectional = false;
};
template <class T>
struct AttentionNode {
  static constexpr const char* name = "attention";
  int64_t heads = 0, kv_heads = 0, size = 0;  // N, K, D
  int64_t left = -1, right = -1;              // keys before and after a query's own; -1: all
  bool causal = false;
  Weight<T> in_weight, in_bias;    // [(N + 2 K) D, E], [(N + 2 K) D] optional
  Weight<T> out_weight, out_bias;  // [E, N D], [E] optional
  std::variant<std::monostate, RotaryPositions, AlibiPositions, RelativePositions<T>> positions;

  bool reads_future() const { return !causal && right != 0; }
};

template <class T>
struct Node {
  using Op = std::variant<SequentialNode<T>, ResidualNode<T>, BidirectionalNode<T>, EmbeddingNode<T>,
                          LinearNode<T>, LayerNormNode<T>, ActivationNode, SwigluNode, RecurrentNode<T>,
                          LearnedPositionsNode<T>, SinusoidalPositionsNode, AttentionNode<T>>;
  Op op;
  int64_t inputs = 0, outputs = 0;  // features, or as inputs -1: tokens

  const char* name() const {
    return std::visit([](const auto& kind) { return kind.name; }, op);
  }
};

template <class T>
class Program;

template <class T>
struct Graph {
  Node<T> root;
  bool takes_tokens = false;
  int64_t inputs = 0;        // features, or the size of the vocabulary
  int64_t context = 0;       // the most steps, 0: no limit; never more than there are learned positions
  int64_t places = 0;        // learned positions, 0: none
  int64_t weight_bytes = 0;  // of the tensors that it names
  std::string obstacle;      // why it cannot be stepped, or empty

  std::vector<std::string> unused_tensors;  // of the file, by name: it names them nowhere

  /// What streams run, made by the first of them for the instruction set then in use.
  mutable std::shared_ptr<const Program<T>> program;
};

class Safetensors;

/// Throws BadFile, with the node's path, the entry, what it must be and what it is.
///
/// Whatever the file: what is allocated is a small multiple of its size, and every size in a graph is that of
/// a tensor which is there, so that they may be multiplied two by two.
template <class T>
std::shared_ptr<const Graph<T>> parse_graph(const Safetensors& file);

/// Are the weights that a file's graph names of float64? Throws as parse_graph does.
bool has_float64_weights(const Safetensors& file);

/// Works out inputs and outputs of every node, and checks every weight against them. Used by parse_graph.
template <class T>
void check_graph(Graph<T>& graph);

}  // namespace weft
