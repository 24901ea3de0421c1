// Small models of every kind that can be stepped, as files in memory.
#pragma once

#include "model_cases.hpp"
#include "weft/model.hpp"

namespace weft::test {

struct ModelKind {
  std::string name;
  std::vector<std::byte> bytes;
  int64_t capacity = 0;
};

/// A GPT with learned positions, over 9 tokens.
template <class T>
ModelKind gpt(int64_t layers, int64_t size, int64_t heads, int64_t context) {
  ModelFile<T> file;
  std::vector<std::string> nodes{
      op("embedding", entry("weight", file.weight("embedding", {9, size}))),
      op("learned_positions", entry("weight", file.weight("positions", {context, size})))};
  for (int64_t layer = 0; layer < layers; ++layer)
    nodes.push_back(transformer_layer(file, std::to_string(layer), size, heads, {}));
  nodes.insert(nodes.end(), {layer_norm(file, "norm", size), linear(file, "head", size, 9)});
  return {"gpt of context " + std::to_string(context), file.with_graph(sequential(nodes), context)};
}

template <class T>
std::vector<ModelKind> model_kinds() {
  std::vector<ModelKind> kinds;
  for (const auto& one : model_cases<T>()) {
    if (!one.steps) continue;
    ModelFile<T> file;
    const std::string graph = one.graph(file);
    kinds.push_back({one.name, file.with_graph(graph), 24});
  }
  kinds.push_back(gpt<T>(2, 16, 2, 24));
  for (auto& kind : kinds) kind.name += sizeof(T) == 4 ? " float32" : " float64";
  return kinds;
}

}  // namespace weft::test
