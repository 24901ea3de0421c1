// What goes into every node and comes out of it, and whether its weights agree.
#include "kernels/step/step_table.hpp"
#include "src/model/place.hpp"

namespace weft {
namespace {

constexpr int64_t tokens = -1;  // in place of a number of features

/// What must come into a node: features, tokens, or 0 where it takes any number of features. `halved` is
/// how many of its own come out as one, where it says nothing.
template <class T>
int64_t expected_inputs(const Node<T>& node, int64_t& halved);

template <class T>
struct ExpectedInputs {
  int64_t& halved;

  static int64_t columns(const Weight<T>& weight) {
    const std::vector<int64_t>& shape = weight->shape;
    return shape.size() == 2 && shape[0] > 0 ? shape[1] : 0;  // others are refused later, by their names
  }
  int64_t operator()(const SequentialNode<T>& node) const {
    for (const Node<T>& layer : node.layers)
      if (const int64_t inputs = expected_inputs(layer, halved)) return inputs;
    return 0;
  }
  int64_t operator()(const ResidualNode<T>& node) const { return expected_inputs(*node.layer, halved); }
  int64_t operator()(const BidirectionalNode<T>& node) const {
    return expected_inputs(*node.forwards, halved);
  }
  int64_t operator()(const EmbeddingNode<T>&) const { return tokens; }
  int64_t operator()(const LinearNode<T>& node) const { return halved * columns(node.weight); }
  int64_t operator()(const LayerNormNode<T>& node) const { return halved * node.size; }
  int64_t operator()(const ActivationNode&) const { return 0; }
  int64_t operator()(const SwigluNode&) const {
    if (halved < (int64_t(1) << 20)) halved *= 2;  // features of a tensor are below 2^40
    return 0;
  }
  int64_t operator()(const RecurrentNode<T>& node) const { return halved * columns(node.w_ih); }
  int64_t operator()(const LearnedPositionsNode<T>& node) const { return halved * columns(node.weight); }
  int64_t operator()(const SinusoidalPositionsNode& node) const { return halved * node.size; }
  int64_t operator()(const AttentionNode<T>& node) const { return halved * columns(node.in_weight); }
};

template <class T>
int64_t expected_inputs(const Node<T>& node, int64_t& halved) {
  return std::visit(ExpectedInputs<T>{halved}, node.op);
}

template <class T>
bool has_recurrent(const Node<T>& node) {
  if (const auto* sequential = std::get_if<SequentialNode<T>>(&node.op)) {
    for (const Node<T>& layer : sequential->layers)
      if (has_recurrent(layer)) return true;
    return false;
  }
  if (const auto* residual = std::get_if<ResidualNode<T>>(&node.op)) return has_recurrent(*residual->layer);
  return std::holds_alternative<RecurrentNode<T>>(node.op) ||
         std::holds_alternative<BidirectionalNode<T>>(node.op);
}

/// Works out what comes out of each node.
template <class T>
class Checker {
 public:
  explicit Checker(Graph<T>& graph) : graph_(graph) {}

  int64_t check(Node<T>& node, int64_t inputs, const std::string& path) {
    const Place at(path, node.name());
    const bool passes_on = std::holds_alternative<SequentialNode<T>>(node.op);
    const bool embeds = std::holds_alternative<EmbeddingNode<T>>(node.op);
    if (inputs == tokens && !embeds && !passes_on)
      at.refuse("it takes features, but tokens come in: the embedding must be the first layer");
    if (inputs != tokens && embeds) at.refuse("an embedding must be the first layer");
    node.inputs = inputs;
    node.outputs = std::visit([&](auto& op) { return outputs(op, inputs, at); }, node.op);
    return node.outputs;
  }

 private:
  static constexpr int64_t any = Place::any;

  int64_t outputs(SequentialNode<T>& op, int64_t inputs, const Place& at) {
    for (size_t i = 0; i < op.layers.size(); ++i)
      inputs = check(op.layers[i], inputs, at.inside("layers", i));
    return inputs;
  }
  int64_t outputs(ResidualNode<T>& op, int64_t inputs, const Place& at) {
    const int64_t inner = check(*op.layer, inputs, at.inside("layer"));
    if (inner != inputs)
      at.refuse("layer must give as many features as it takes, " + std::to_string(inputs) + ", got " +
                std::to_string(inner));
    return inputs;
  }
  int64_t outputs(BidirectionalNode<T>& op, int64_t inputs, const Place& at) {
    if (graph_.obstacle.empty())
      graph_.obstacle = "the bidirectional layer" + at.at() + " reads every sequence from its end too";
    // Without weights of their own, layers could double the features without end.
    if (!has_recurrent(*op.forwards) || !has_recurrent(*op.backwards))
      at.refuse("forwards and backwards must each have a recurrent layer");
    const int64_t forwards = check(*op.forwards, inputs, at.inside("forwards"));
    return forwards + check(*op.backwards, inputs, at.inside("backwards"));
  }

  int64_t outputs(EmbeddingNode<T>& op, int64_t, const Place& at) {
    const std::vector<int64_t> shape = at.expect("weight", op.weight, "(V, D)", {any, any});
    graph_.inputs = shape[0];
    return shape[1];
  }
  int64_t outputs(LinearNode<T>& op, int64_t inputs, const Place& at) {
    const int64_t outputs = at.expect("weight", op.weight, "(O, I)", {any, inputs})[0];
    at.expect("bias", op.bias, "(O,)", {outputs});
    return outputs;
  }
  int64_t outputs(LayerNormNode<T>& op, int64_t inputs, const Place& at) {
    check_size(op.size, inputs, at);
    at.expect("weight", op.weight, "(size,)", {inputs});
    at.expect("bias", op.bias, "(size,)", {inputs});
    return inputs;
  }
  int64_t outputs(ActivationNode&, int64_t inputs, const Place&) { return inputs; }
  int64_t outputs(SwigluNode&, int64_t inputs, const Place& at) {
    if (inputs % 2 != 0)
      at.refuse("it takes an even number of features, but " + std::to_string(inputs) + " come in");
    return inputs / 2;
  }
  int64_t outputs(RecurrentNode<T>& op, int64_t inputs, const Place& at) {
    const StepCell<T>& cell = find_cell(op.cell);
    const std::string g = cell.gates == 1 ? "" : std::to_string(cell.gates), name = op.cell;
    const int64_t rows = at.expect("w_ih", op.w_ih, "(" + g + "H, I)", {any, inputs})[0];
    if (rows % cell.gates != 0)
      at.refuse("w_ih must have " + g + "H rows, a multiple of " + g + ", got " + std::to_string(rows));
    op.hidden = rows / cell.gates;
    if (op.w_proj && !cell.takes_projection) at.refuse("cell " + name + " takes no w_proj");
    const int64_t state =
        op.w_proj ? at.expect("w_proj", op.w_proj, "(P, H)", {any, op.hidden})[0] : op.hidden;
    if (op.w_proj && state >= op.hidden)
      at.refuse("w_proj must have fewer rows than H = " + std::to_string(op.hidden) + ", got " +
                std::to_string(state));
    at.expect("w_hh", op.w_hh, "(" + g + (op.w_proj ? "H, P)" : "H, H)"), {rows, state});
    at.expect("b_ih", op.b_ih, "(" + g + "H,)", {rows});
    at.expect("b_hh", op.b_hh, "(" + g + "H,)", {rows});
    if ((cell.extras > 0) != (op.extra != nullptr))
      at.refuse("cell " + name + (op.extra ? " takes no extra" : " must have extra"));
    at.expect("extra", op.extra, "(" + std::to_string(cell.extras) + ", H)", {cell.extras, op.hidden});
    return state;
  }
  int64_t outputs(LearnedPositionsNode<T>& op, int64_t inputs, const Place& at) {
    const int64_t places = at.expect("weight", op.weight, "(places, E)", {any, inputs})[0];
    if (graph_.places == 0 || graph_.places > places) graph_.places = places;
    return inputs;
  }
  int64_t outputs(SinusoidalPositionsNode& op, int64_t inputs, const Place& at) {
    check_size(op.size, inputs, at);
    return inputs;
  }
  int64_t outputs(AttentionNode<T>& op, int64_t inputs, const Place& at) {
    if (op.heads % op.kv_heads != 0)
      at.refuse("kv_heads must divide heads = " + std::to_string(op.heads) + ", got " +
                std::to_string(op.kv_heads));
    const int64_t rows = at.expect("in_weight", op.in_weight, "((N + 2K) D, E)", {any, inputs})[0];
    const int64_t parts = op.heads > rows ? rows + 1 : op.heads + 2 * op.kv_heads;  // no overflow
    if (rows % parts != 0)
      at.refuse(
          "in_weight must have (N + 2K) D rows, a multiple of N + 2K with N = " + std::to_string(op.heads) +
          " and K = " + std::to_string(op.kv_heads) + ", got " + std::to_string(rows));
    op.size = rows / parts;
    at.expect("in_bias", op.in_bias, "((N + 2K) D,)", {rows});
    const int64_t outputs = at.expect("out_weight", op.out_weight, "(E, N D)", {any, op.heads * op.size})[0];
    at.expect("out_bias", op.out_bias, "(E,)", {outputs});
    std::visit([&](const auto& positions) { check_positions(positions, op, at); }, op.positions);
    if (op.reads_future() && graph_.obstacle.empty())
      graph_.obstacle = "the attention" + at.at() + " is not causal, it reads later steps";
    return outputs;
  }

  void check_positions(const std::monostate&, const AttentionNode<T>&, const Place&) {}
  void check_positions(const AlibiPositions&, const AttentionNode<T>&, const Place&) {}
  void check_positions(const RotaryPositions& rotary, const AttentionNode<T>& op, const Place& at) {
    if (rotary.dim % 2 != 0 || rotary.dim > op.size)
      at.refuse("dim must be even and at most D = " + std::to_string(op.size) + ", got " +
                std::to_string(rotary.dim));
  }
  void check_positions(const RelativePositions<T>& relative, const AttentionNode<T>& op, const Place& at) {
    const int64_t buckets = at.expect("positions.weight", relative.weight, "(R, N)", {any, op.heads})[0];
    const int64_t side = relative.bidirectional ? buckets / 2 : buckets;
    if (side < 2 || relative.max_distance <= side / 2)
      at.refuse("max_distance must be above half of the " + std::to_string(side) +
                " buckets of a side, at least two, got " + std::to_string(relative.max_distance));
  }

  static void check_size(int64_t size, int64_t inputs, const Place& at) {
    if (size != inputs)
      at.refuse("size must be " + std::to_string(inputs) + ", the features that come in, got " +
                std::to_string(size));
  }
  static const StepCell<T>& find_cell(const char* name) {
    const StepKernels<T>& kernels = step_kernels<T>(baseline::step_table);
    int i = 0;
    while (kernels.cells[i].name != name) ++i;  // the reader took it from there
    return kernels.cells[i];
  }

  Graph<T>& graph_;
};

}  // namespace

template <class T>
void check_graph(Graph<T>& graph) {
  int64_t halved = 1;
  const int64_t inputs = expected_inputs(graph.root, halved);
  if (inputs == 0) Place("", graph.root.name()).refuse("no layer says how many features come in");
  // A size in the JSON may be any number, that of a tensor may not. All other features follow from tensors.
  constexpr int64_t few = 65536;
  if (inputs > few && inputs / 2 > graph.weight_bytes / int64_t(sizeof(T)))
    Place("", graph.root.name())
        .refuse("it takes " + std::to_string(inputs) + " features, more than all weights have elements");
  graph.takes_tokens = inputs == tokens;
  graph.inputs = inputs;  // of tokens: the embedding sets it
  Checker<T>(graph).check(graph.root, inputs, "");
  if (graph.places > 0 && (graph.context == 0 || graph.context > graph.places)) graph.context = graph.places;
}

template void check_graph(Graph<float>&);
template void check_graph(Graph<double>&);

}  // namespace weft
