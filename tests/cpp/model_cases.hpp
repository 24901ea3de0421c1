// Small models, one for each op of docs/model_format.md and its options: the JSON of a graph whose weights
// are put into a file.
#pragma once

#include <functional>

#include "model_file.hpp"

namespace weft::test {

template <class T>
struct ModelCase {
  std::string name;
  std::function<std::string(ModelFile<T>&)> graph;
  bool steps = true;
};

inline std::string quoted(const std::string& text) { return std::string("\"") + text + "\""; }
inline std::string entry(const std::string& key, const std::string& value) {
  return std::string(",\"") + key + "\":" + value;
}
inline std::string op(const std::string& name, const std::string& entries = "") {
  return "{\"op\":\"" + name + "\"" + entries + "}";
}
inline std::string sequential(const std::vector<std::string>& layers) {
  std::string items;
  for (const std::string& layer : layers) items += (items.empty() ? "" : ",") + layer;
  return op("sequential", entry("layers", "[" + items + "]"));
}
inline std::string residual(const std::string& layer) { return op("residual", entry("layer", layer)); }

template <class T>
std::string linear(ModelFile<T>& file, const std::string& name, int64_t inputs, int64_t outputs,
                   bool bias = true) {
  return op("linear", entry("weight", file.weight(name + ".weight", {outputs, inputs})) +
                          (bias ? entry("bias", file.weight(name + ".bias", {outputs})) : ""));
}

struct CellOptions {
  bool bias = true;
  int64_t projection = 0;
  std::string zoneout = "";
};
template <class T>
std::string recurrent(ModelFile<T>& file, const std::string& name, const std::string& cell, int64_t inputs,
                      int64_t hidden, const CellOptions& options = {}) {
  const int64_t gates = cell.starts_with("rnn")                               ? 1
                        : cell.starts_with("gru") || cell.find("coupled") + 1 ? 3
                                                                              : 4;
  const int64_t rows = gates * hidden, state = options.projection ? options.projection : hidden;
  std::string entries = entry("cell", quoted(cell)) +
                        entry("w_ih", file.weight(name + ".w_ih", {rows, inputs})) +
                        entry("w_hh", file.weight(name + ".w_hh", {rows, state}));
  if (options.bias)
    entries += entry("b_ih", file.weight(name + ".b_ih", {rows})) +
               entry("b_hh", file.weight(name + ".b_hh", {rows}));
  if (cell.find("peephole") + 1) entries += entry("extra", file.weight(name + ".extra", {3, hidden}));
  if (options.projection) entries += entry("w_proj", file.weight(name + ".w_proj", {state, hidden}));
  if (!options.zoneout.empty()) entries += entry("zoneout", options.zoneout);
  return op("recurrent", entries);
}

struct AttentionOptions {
  int64_t kv_heads = 0;  // 0: as many as heads
  bool bias = true, causal = true;
  std::string window = "", positions = "";
};
template <class T>
std::string attention(ModelFile<T>& file, const std::string& name, int64_t features, int64_t heads,
                      const AttentionOptions& options = {}) {
  const int64_t K = options.kv_heads ? options.kv_heads : heads, rows = (heads + 2 * K) * features / heads;
  std::string entries = entry("heads", std::to_string(heads)) + entry("kv_heads", std::to_string(K)) +
                        entry("in_weight", file.weight(name + ".in_weight", {rows, features})) +
                        entry("out_weight", file.weight(name + ".out_weight", {features, features})) +
                        entry("causal", options.causal ? "true" : "false");
  if (options.bias)
    entries += entry("in_bias", file.weight(name + ".in_bias", {rows})) +
               entry("out_bias", file.weight(name + ".out_bias", {features}));
  if (!options.window.empty()) entries += entry("window", options.window);
  if (!options.positions.empty()) entries += entry("positions", options.positions);
  return op("attention", entries);
}
template <class T>
std::string layer_norm(ModelFile<T>& file, const std::string& name, int64_t size) {
  return op("layer_norm", entry("size", std::to_string(size)) + entry("eps", "1e-05") +
                              entry("weight", file.weight(name + ".weight", {size})) +
                              entry("bias", file.weight(name + ".bias", {size})));
}
/// One layer of a transformer, normalised first.
template <class T>
std::string transformer_layer(ModelFile<T>& file, const std::string& name, int64_t size, int64_t heads,
                              const AttentionOptions& options) {
  return sequential(
      {residual(sequential(
           {layer_norm(file, name + ".norm1", size), attention(file, name, size, heads, options)})),
       residual(sequential(
           {layer_norm(file, name + ".norm2", size), linear(file, name + ".linear1", size, 4 * size),
            op("activation", entry("kind", "\"gelu\"")), linear(file, name + ".linear2", 4 * size, size)}))});
}

/// Every one takes 6 features, or tokens below 9.
template <class T>
std::vector<ModelCase<T>> model_cases() {
  using File = ModelFile<T>;
  std::vector<ModelCase<T>> cases;
  for (const char* cell : {"rnn_tanh", "rnn_relu", "lstm", "lstm_peephole", "lstm_coupled",
                           "lstm_coupled_peephole", "gru", "gru_reset_before"}) {
    cases.push_back({cell, [=](File& f) { return recurrent(f, "a", cell, 6, 19); }});
    cases.push_back({std::string(cell) + ", bare, with zoneout",
                     [=](File& f) { return recurrent(f, "a", cell, 6, 8, {false, 0, "0.25"}); }});
  }
  cases.push_back({"projection", [](File& f) { return recurrent(f, "a", "lstm", 6, 11, {true, 5, ""}); }});
  cases.push_back({"linear", [](File& f) { return linear(f, "a", 6, 3); }});
  cases.push_back({"linear, bare", [](File& f) { return linear(f, "a", 6, 33, false); }});
  cases.push_back({"layer_norm", [](File& f) { return layer_norm(f, "a", 6); }});
  cases.push_back({"layer_norm, bare",
                   [](File&) { return op("layer_norm", entry("size", "6") + entry("eps", "0.001")); }});
  for (const char* kind : {"relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"})
    cases.push_back({kind, [=](File& f) {
                       const std::string bent = op("activation", entry("kind", quoted(kind)));
                       return sequential({bent, linear(f, "a", 6, 21), bent});
                     }});
  cases.push_back(
      {"swiglu", [](File& f) { return sequential({op("swiglu"), linear(f, "a", 3, 34), op("swiglu")}); }});
  cases.push_back({"residual", [](File& f) {
                     return residual(sequential({residual(linear(f, "a", 6, 6)), sequential({}),
                                                 residual(recurrent(f, "b", "gru", 6, 6))}));
                   }});
  cases.push_back({"one layer twice", [](File& f) {
                     const std::string cell = recurrent(f, "a", "gru", 6, 6);
                     return sequential({cell, residual(cell)});
                   }});
  cases.push_back({"embedding", [](File& f) {
                     return sequential({op("embedding", entry("weight", f.weight("e", {9, 5}))),
                                        recurrent(f, "a", "lstm", 5, 12), linear(f, "b", 12, 9)});
                   }});
  cases.push_back(
      {"embedding alone", [](File& f) { return op("embedding", entry("weight", f.weight("e", {9, 5}))); }});
  cases.push_back({"learned positions",
                   [](File& f) { return op("learned_positions", entry("weight", f.weight("p", {64, 6}))); }});
  cases.push_back({"sinusoidal positions", [](File& f) {
                     return sequential(
                         {op("sinusoidal_positions", entry("size", "6") + entry("base", "100.0")),
                          linear(f, "a", 6, 5),
                          op("sinusoidal_positions", entry("size", "5") + entry("base", "10"))});
                   }});
  const std::string rotary = "{\"kind\":\"rotary\",\"dim\":4,\"base\":10000.0,\"interleaved\":false}",
                    pairs = "{\"kind\":\"rotary\",\"dim\":2,\"base\":100.0,\"interleaved\":true}",
                    alibi = "{\"kind\":\"alibi\"}";
  const auto attend = [&](const std::string& name, int64_t heads, const AttentionOptions& options) {
    cases.push_back({"attention, " + name,
                     [=](File& f) {
                       return sequential(
                           {linear(f, "a", 6, 8 * heads), attention(f, "b", 8 * heads, heads, options)});
                     },
                     options.causal || options.window.ends_with(",0]")});
  };
  const auto relative = [](File& f, const char* sides) {
    return "{\"kind\":\"relative\",\"weight\":" + f.weight("r", {8, 2}) +
           ",\"max_distance\":20,\"bidirectional\":" + sides + "}";
  };
  attend("causal", 2, {});
  attend("heads in groups, bare", 4, {.kv_heads = 2, .bias = false});
  attend("window", 2, {.window = "[4,-1]"});
  attend("window of one", 2, {.window = "[0,0]"});
  attend("window that is causal", 2, {.causal = false, .window = "[6,0]"});
  attend("rotary", 2, {.positions = rotary});
  attend("rotary and window", 2, {.window = "[3,0]", .positions = pairs});
  attend("alibi", 3, {.positions = alibi});
  attend("alibi and window", 4, {.window = "[5,0]", .positions = alibi});
  attend("alibi, not causal", 2, {.causal = false, .positions = alibi});
  attend("not causal", 2, {.causal = false});
  for (const char* sides : {"true", "false"})
    for (const char* window : {"[-1,-1]", "[7,0]"})
      cases.push_back({"attention, relative " + std::string(sides) + window, [=](File& f) {
                         return sequential(
                             {linear(f, "a", 6, 16),
                              attention(f, "b", 16, 2, {.window = window, .positions = relative(f, sides)})});
                       }});
  cases.push_back({"transformer", [=](File& f) {
                     return sequential({op("embedding", entry("weight", f.weight("head.weight", {9, 16}))),
                                        transformer_layer(f, "0", 16, 2, {.positions = rotary}),
                                        transformer_layer(f, "1", 16, 2, {.positions = rotary}),
                                        layer_norm(f, "norm", 16),
                                        op("linear", entry("weight", "\"head.weight\""))});
                   }});
  const auto both = [](const std::string& forwards, const std::string& backwards) {
    return op("bidirectional", entry("forwards", forwards) + entry("backwards", backwards));
  };
  cases.push_back({"bidirectional",
                   [=](File& f) {
                     return sequential({both(recurrent(f, "a", "gru", 6, 5), recurrent(f, "b", "gru", 6, 5)),
                                        linear(f, "c", 10, 2)});
                   },
                   false});
  cases.push_back({"bidirectional, of two kinds",
                   [=](File& f) {
                     return both(sequential({recurrent(f, "a", "gru", 6, 5), linear(f, "c", 5, 2)}),
                                 recurrent(f, "b", "lstm", 6, 4));
                   },
                   false});
  return cases;
}

}  // namespace weft::test
