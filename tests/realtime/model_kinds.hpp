// Small models of every kind that can be stepped, as files in memory.
#pragma once

#include <functional>

#include "model_file.hpp"
#include "weft/model.hpp"

namespace weft::test {

struct ModelKind {
  std::string name;
  std::vector<std::byte> bytes;
  int64_t capacity = 0;
};

/// A GPT over 11 tokens.
template <class T>
std::vector<std::byte> gpt_bytes(int64_t layers, int64_t E, int64_t N, int64_t context) {
  ModelFile<T> file;
  std::vector<std::string> nodes{file.embedding(11, E), file.learned_positions(context, E)};
  for (int64_t layer = 0; layer < layers; ++layer) nodes.push_back(file.transformer(E, N, N));
  nodes.insert(nodes.end(), {file.layer_norm(E), file.linear(E, 11)});
  return file.bytes(file.sequential(nodes), context);
}

template <class T>
std::vector<ModelKind> model_kinds() {
  std::vector<ModelKind> kinds;
  const auto add = [&](const std::string& name, const std::function<std::string(ModelFile<T>&)>& graph,
                       int64_t capacity = 0) {
    ModelFile<T> file;
    const std::string node = graph(file);
    kinds.push_back({name + (sizeof(T) == 4 ? " float32" : " float64"), file.bytes(node), capacity});
  };
  using File = ModelFile<T>;
  for (const auto& cell : recurrent_cells())
    add(cell.name, [&](File& f) { return f.sequential({f.recurrent(cell.name, 3, 8), f.linear(8, 2)}); });
  add("gru of 67 units", [](File& f) { return f.recurrent("gru", 5, 67); });
  add("lstm with a projection", [](File& f) { return f.recurrent("lstm", 3, 9, 5); });
  add("gru with zoneout", [](File& f) { return f.recurrent("gru", 3, 8, 0, 0.125); });
  add("three layers", [](File& f) {
    return f.sequential({f.recurrent("gru", 3, 8), f.residual(f.recurrent("lstm", 8, 8)), f.layer_norm(8),
                         f.recurrent("rnn_tanh", 8, 8)});
  });
  add("every activation", [](File& f) {
    std::vector<std::string> nodes{f.linear(3, 20), f.swiglu()};
    for (const char* kind : {"relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"})
      nodes.push_back(f.activation(kind));
    return f.sequential(nodes);
  });
  add("tokens",
      [](File& f) { return f.sequential({f.embedding(11, 6), f.recurrent("gru", 6, 8), f.linear(8, 11)}); });
  const auto attentive = [&](const std::string& name, const std::function<std::string(File&)>& more) {
    add("attention, " + name, [&](File& f) { return f.transformer(16, 2, 1, more(f)); }, 24);
  };
  attentive("shared keys", [](File&) { return ""; });
  attentive("rotary", [](File& f) { return f.rotary(8); });
  attentive("alibi", [](File& f) { return f.alibi(); });
  attentive("relative", [](File& f) { return f.relative(2); });
  attentive("window", [](File&) { return R"(,"window":[5,0])"; });
  add(
      "sinusoidal positions",
      [](File& f) {
        return f.sequential({f.linear(3, 16), f.sinusoidal_positions(16), f.transformer(16, 2, 2)});
      },
      24);
  kinds.push_back(
      {std::string("gpt") + (sizeof(T) == 4 ? " float32" : " float64"), gpt_bytes<T>(2, 16, 2, 24)});
  return kinds;
}

}  // namespace weft::test
