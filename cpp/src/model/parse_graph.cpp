// A model's file as a graph: the JSON of its metadata becomes nodes, which take their weights from it.
#include "kernels/step/step_table.hpp"
#include "src/model/entries.hpp"

namespace weft {
namespace {

constexpr int64_t most_features = int64_t(1) << 40;  // so that small multiples do not overflow

template <class T>
using Op = typename Node<T>::Op;

template <class T>
Node<T> read_node(Json given, Weights<T>& weights, const std::string& path);

template <class T>
std::unique_ptr<Node<T>> read_child(Entries<T>& entries, const char* key) {
  return std::make_unique<Node<T>>(read_node(entries.get(key), entries.weights, entries.place.inside(key)));
}

template <class T>
Op<T> read_sequential(Entries<T>& entries) {
  const Json layers = entries.get("layers");
  const std::string what = entries.place.what("layers");
  SequentialNode<T> made;
  size_t count = 0;
  layers.each_item(what, [&](Json) { ++count; });
  made.layers.reserve(count);
  layers.each_item(what, [&](Json layer) {
    const size_t index = made.layers.size();
    made.layers.push_back(read_node(layer, entries.weights, entries.place.inside("layers", index)));
  });
  return made;
}

template <class T>
Op<T> read_residual(Entries<T>& entries) {
  return ResidualNode<T>{read_child(entries, "layer")};
}

template <class T>
Op<T> read_bidirectional(Entries<T>& entries) {
  auto forwards = read_child(entries, "forwards");
  return BidirectionalNode<T>{std::move(forwards), read_child(entries, "backwards")};
}

template <class T>
Op<T> read_embedding(Entries<T>& entries) {
  return EmbeddingNode<T>{entries.weight("weight")};
}

template <class T>
Op<T> read_linear(Entries<T>& entries) {
  return LinearNode<T>{entries.weight("weight"), entries.optional_weight("bias")};
}

template <class T>
Op<T> read_layer_norm(Entries<T>& entries) {
  const int64_t size = entries.integer("size", 1, most_features);
  const double eps = entries.number("eps", "at least 0", [](double value) { return value >= 0; });
  return LayerNormNode<T>{size, eps, entries.optional_weight("weight"), entries.optional_weight("bias")};
}

template <class T>
Op<T> read_activation(Entries<T>& entries) {
  static constexpr const char* kinds[] = {"relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"};
  static_assert(int(Activation::relu) == 0 && int(Activation::tanh) == 5, "the order of Activation");
  return ActivationNode{Activation(entries.choice("kind", kinds))};
}

template <class T>
Op<T> read_swiglu(Entries<T>&) {
  return SwigluNode{};
}

template <class T>
Op<T> read_recurrent(Entries<T>& entries) {
  const StepKernels<T>& kernels = step_kernels<T>(baseline::step_table);
  std::vector<const char*> cells;
  for (int i = 0; i < kernels.count; ++i) cells.push_back(kernels.cells[i].name);
  RecurrentNode<T> made;
  made.cell = cells[size_t(entries.choice("cell", cells))];
  made.w_ih = entries.weight("w_ih");
  made.w_hh = entries.weight("w_hh");
  made.b_ih = entries.optional_weight("b_ih");
  made.b_hh = entries.optional_weight("b_hh");
  made.extra = entries.optional_weight("extra");
  made.w_proj = entries.optional_weight("w_proj");
  if (entries.find("zoneout"))
    made.zoneout = entries.number("zoneout", "in [0, 1)", [](double p) { return p >= 0 && p < 1; });
  return made;
}

template <class T>
Op<T> read_learned_positions(Entries<T>& entries) {
  return LearnedPositionsNode<T>{entries.weight("weight")};
}

template <class T>
double read_base(Entries<T>& entries) {
  return entries.number("base", "above 0", [](double value) { return value > 0; });
}

template <class T>
Op<T> read_sinusoidal_positions(Entries<T>& entries) {
  const int64_t size = entries.integer("size", 1, most_features);
  return SinusoidalPositionsNode{size, read_base(entries)};
}

template <class T>
void read_window(Json window, const Place& place, AttentionNode<T>& into) {
  std::vector<int64_t> sides;
  window.each_item(place.what("window"), [&](Json side) {
    if (sides.size() < 3) sides.push_back(side.integer(place.what("window")));
  });
  if (sides.size() != 2 || sides[0] < -1 || sides[1] < -1)
    place.refuse("window must be two numbers, each at least -1, got " + window.excerpt());
  into.left = sides[0], into.right = sides[1];
}

template <class T>
void read_positions(Entries<T> entries, AttentionNode<T>& into) {
  static constexpr const char* kinds[] = {"rotary", "alibi", "relative"};
  const int kind = entries.choice("kind", kinds);
  if (kind == 0) {
    const int64_t dim = entries.integer("dim", 2);
    const double base = read_base(entries);
    into.positions = RotaryPositions{dim, base, entries.boolean("interleaved")};
  } else if (kind == 1) {
    into.positions = AlibiPositions{};
  } else {
    const Weight<T> weight = entries.weight("weight");
    const int64_t distance = entries.integer("max_distance", 1, int64_t(1) << 53);  // exact as a double
    into.positions = RelativePositions<T>{weight, distance, entries.boolean("bidirectional")};
  }
  entries.refuse_others();
}

template <class T>
Op<T> read_attention(Entries<T>& entries) {
  AttentionNode<T> made;
  made.heads = entries.integer("heads", 1);
  made.kv_heads = entries.integer("kv_heads", 1);
  made.in_weight = entries.weight("in_weight");
  made.in_bias = entries.optional_weight("in_bias");
  made.out_weight = entries.weight("out_weight");
  made.out_bias = entries.optional_weight("out_bias");
  made.causal = entries.boolean("causal");
  if (const auto window = entries.find("window")) read_window(*window, entries.place, made);
  if (made.causal) made.right = 0;
  if (const auto positions = entries.find("positions"))
    read_positions(Entries<T>(*positions, entries.place, entries.weights), made);
  return made;
}

template <class T>
struct Reader {
  const char* op;
  Op<T> (*read)(Entries<T>&);
};
template <class T>
constexpr Reader<T> readers[] = {
    {SequentialNode<T>::name, read_sequential},
    {ResidualNode<T>::name, read_residual},
    {BidirectionalNode<T>::name, read_bidirectional},
    {EmbeddingNode<T>::name, read_embedding},
    {LinearNode<T>::name, read_linear},
    {LayerNormNode<T>::name, read_layer_norm},
    {ActivationNode::name, read_activation},
    {SwigluNode::name, read_swiglu},
    {RecurrentNode<T>::name, read_recurrent},
    {LearnedPositionsNode<T>::name, read_learned_positions},
    {SinusoidalPositionsNode::name, read_sinusoidal_positions},
    {AttentionNode<T>::name, read_attention},
};

/// Nodes lie inside of nodes no deeper than the JSON does, which has a limit of its own.
template <class T>
Node<T> read_node(Json given, Weights<T>& weights, const std::string& path) {
  const Place unknown(path, "unknown");
  Entries<T> all(given, unknown, weights);
  const std::string op = shortened(all.string("op"));
  const Place place(path, op);
  Entries<T> entries(given, place, weights);
  std::vector<const char*> ops;
  for (const Reader<T>& reader : readers<T>) ops.push_back(reader.op);
  const int index = entries.choice("op", ops);
  Node<T> made;
  made.op = readers<T>[index].read(entries);
  entries.refuse_others();
  return made;
}

/// The dtype of the first tensor that is named somewhere in a value, or nothing.
std::string_view first_dtype(Json value, const Safetensors& file) {
  std::string_view dtype;
  const auto look = [&](Json inner) {
    if (dtype.empty()) dtype = first_dtype(inner, file);
  };
  if (value.kind() == Json::Kind::array) value.each_item("graph", look);
  if (value.kind() == Json::Kind::object) value.each_member("graph", [&](Json, Json item) { look(item); });
  if (value.kind() == Json::Kind::string)
    if (const auto tensor = file.find(value.string("graph"))) dtype = tensor->dtype;
  return dtype;
}

/// read(the file's description), whose errors name the file.
template <class Read>
auto read_description(const Safetensors& file, const Read& read) {
  try {
    const std::optional<std::string> text = file.metadata("weft");
    if (text) return read(Json::parse(*text, "the entry \"weft\" of the metadata"));
    throw BadFile(
        {}, {},
        "the file has no entry \"weft\" in its metadata, which says how to compute with its weights: "
        "weft.nn.save writes it");
  } catch (const BadFile& error) {
    throw BadFile("load: ", file.path(), error.reason());
  }
}

template <class T>
std::shared_ptr<const Graph<T>> read_graph(Json description, const Safetensors& file) {
  Weights<T> weights(file);
  const Place place("", "model");
  Entries<T> entries(description, place, weights);
  if (entries.integer("format", 1) != 1) place.refuse("format must be 1, this file is of a later version");
  if (entries.find("obstacle")) place.refuse(shortened(entries.string("obstacle"), 500));
  auto graph = std::make_shared<Graph<T>>();
  if (entries.find("context")) graph->context = entries.integer("context", 0, 1 << 24);
  graph->root = read_node(entries.get("graph"), weights, "");
  graph->weight_bytes = weights.bytes();
  graph->unused_tensors = weights.not_taken();
  check_graph(*graph);
  return graph;
}

}  // namespace

bool has_float64_weights(const Safetensors& file) {
  return read_description(file, [&](Json description) { return first_dtype(description, file) == "F64"; });
}

template <class T>
std::shared_ptr<const Graph<T>> parse_graph(const Safetensors& file) {
  return read_description(file, [&](Json description) { return read_graph<T>(description, file); });
}

template std::shared_ptr<const Graph<float>> parse_graph(const Safetensors&);
template std::shared_ptr<const Graph<double>> parse_graph(const Safetensors&);

}  // namespace weft
