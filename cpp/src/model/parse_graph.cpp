// A model's file as a graph: the JSON of its metadata becomes nodes, which take their weights from it.
#include "src/model/graph.hpp"

namespace weft {

template <class T>
Node<T> read_node(Json given, Weights<T>& weights, const std::string& path) {
  return [&]<class... Ops>(std::type_identity<std::variant<Ops...>>) -> Node<T> {
    static_assert((Operation<Ops, T> && ...));
    constexpr const char* names[] = {Ops::name...};
    constexpr Operations<T> (*read[])(Entries<T>&) = {
        [](Entries<T>& entries) -> Operations<T> { return Ops::read(entries); }...};
    const Place unknown(path, "unknown");
    const Place place(path, shortened(Entries<T>(given, unknown, weights).string("op")));
    Entries<T> entries(given, place, weights);
    const int index = entries.choice("op", names);
    Node<T> made{read[index](entries)};
    entries.refuse_others();
    return made;
  }(std::type_identity<Operations<T>>());
}

namespace {

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
