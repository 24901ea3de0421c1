// Model files made in memory, for tests that need no Python: random weights, and the graph beside them.
//
//   ModelFile<float> file;
//   const auto bytes = file.bytes(file.sequential({file.recurrent("gru", 1, 8), file.linear(8, 1)}));
//
// A node is the JSON that docs/model_format.md describes.
#pragma once

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "weft/recurrent.hpp"

namespace weft::test {

inline const RecurrentCellInfo& cell_info(const std::string& name) {
  static const std::vector<RecurrentCellInfo> cells = recurrent_cells();
  for (const auto& cell : cells)
    if (cell.name == name) return cell;
  throw std::invalid_argument("no cell of that name: " + name);
}

template <class T>
class ModelFile {
 public:
  std::string sequential(const std::vector<std::string>& layers) {
    std::string text;
    for (const auto& layer : layers) text += (text.empty() ? "" : ",") + layer;
    return R"({"op":"sequential","layers":[)" + text + "]}";
  }
  std::string residual(const std::string& layer) { return R"({"op":"residual","layer":)" + layer + "}"; }
  std::string bidirectional(const std::string& forwards, const std::string& backwards) {
    return R"({"op":"bidirectional","forwards":)" + forwards + R"(,"backwards":)" + backwards + "}";
  }
  std::string embedding(int64_t V, int64_t D) {
    return R"({"op":"embedding","weight":)" + weight({V, D}, 1) + "}";
  }
  std::string linear(int64_t I, int64_t O) {
    return R"({"op":"linear","weight":)" + weight({O, I}, fan(I)) + R"(,"bias":)" + weight({O}, fan(I)) + "}";
  }
  std::string layer_norm(int64_t size) {
    return R"({"op":"layer_norm","size":)" + std::to_string(size) + R"(,"eps":1e-5,"weight":)" +
           weight({size}, 1) + R"(,"bias":)" + weight({size}, 1) + "}";
  }
  std::string activation(const std::string& kind) { return R"({"op":"activation","kind":")" + kind + "\"}"; }
  std::string swiglu() { return R"({"op":"swiglu"})"; }
  /// P: the width of its projection, or 0. `bias`: two vectors of them.
  std::string recurrent(const std::string& cell, int64_t I, int64_t H, int64_t P = 0, double zoneout = 0,
                        bool bias = true) {
    const auto& info = cell_info(cell);
    const int64_t rows = info.gates * H, state = P > 0 ? P : H;
    std::string text = R"({"op":"recurrent","cell":")" + cell + R"(","w_ih":)" + weight({rows, I}, fan(H)) +
                       R"(,"w_hh":)" + weight({rows, state}, fan(H));
    if (bias) text += R"(,"b_ih":)" + weight({rows}, fan(H)) + R"(,"b_hh":)" + weight({rows}, fan(H));
    if (info.extras > 0) text += R"(,"extra":)" + weight({info.extras, H}, fan(H));
    if (P > 0) text += R"(,"w_proj":)" + weight({P, H}, fan(H));
    if (zoneout > 0) text += R"(,"zoneout":)" + std::to_string(zoneout);
    return text + "}";
  }
  std::string learned_positions(int64_t places, int64_t E) {
    return R"({"op":"learned_positions","weight":)" + weight({places, E}, 1) + "}";
  }
  std::string sinusoidal_positions(int64_t E) {
    return R"({"op":"sinusoidal_positions","size":)" + std::to_string(E) + R"(,"base":10000.0})";
  }
  /// E features, N heads, K of them with keys of their own; `more` is JSON:
  /// ,"window":[16,0],"positions":{...}
  std::string attention(int64_t E, int64_t N, int64_t K, const std::string& more = "") {
    const int64_t D = E / N, rows = (N + 2 * K) * D;
    return R"({"op":"attention","heads":)" + std::to_string(N) + R"(,"kv_heads":)" + std::to_string(K) +
           R"(,"in_weight":)" + weight({rows, E}, fan(E)) + R"(,"in_bias":)" + weight({rows}, fan(E)) +
           R"(,"out_weight":)" + weight({E, N * D}, fan(E)) + R"(,"out_bias":)" + weight({E}, fan(E)) +
           R"(,"causal":true)" + more + "}";
  }
  std::string rotary(int64_t D) {
    return R"(,"positions":{"kind":"rotary","dim":)" + std::to_string(D) +
           R"(,"base":10000.0,"interleaved":false})";
  }
  std::string alibi() { return R"(,"positions":{"kind":"alibi"})"; }
  std::string relative(int64_t N) {
    return R"(,"positions":{"kind":"relative","weight":)" + weight({32, N}, 1) +
           R"(,"max_distance":128,"bidirectional":false})";
  }
  /// A pre-norm transformer layer.
  std::string transformer(int64_t E, int64_t N, int64_t K, const std::string& more = "") {
    return sequential(
        {residual(sequential({layer_norm(E), attention(E, N, K, more)})),
         residual(sequential({layer_norm(E), linear(E, 4 * E), activation("gelu"), linear(4 * E, E)}))});
  }

  /// A weight of random numbers: its name as JSON has it.
  std::string weight(const std::vector<int64_t>& shape, double bound) {
    int64_t size = 1;
    std::string axes;
    for (int64_t axis : shape) size *= axis, axes += (axes.empty() ? "" : ",") + std::to_string(axis);
    const auto numbers = random_numbers<T>(size, ++count_, bound);
    const std::string name = "\"w" + std::to_string(count_) + "\"";
    const size_t begin = data_.size(), end = begin + numbers.size() * sizeof(T);
    header_ += "," + name + R"(:{"dtype":")" + (sizeof(T) == 4 ? "F32" : "F64") + R"(","shape":[)" + axes +
               R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
    data_.resize(end);
    std::memcpy(data_.data() + begin, numbers.data(), end - begin);
    return name;
  }

  std::vector<std::byte> bytes(const std::string& graph, int64_t context = 0) const {
    std::string quoted;
    for (char c : R"({"format":1,"graph":)" + graph + R"(,"context":)" + std::to_string(context) + "}")
      quoted += c == '"' ? "\\\"" : std::string(1, c);
    std::string header = R"({"__metadata__":{"weft":")" + quoted + "\"}" + header_ + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::vector<std::byte> file(8 + header.size() + data_.size());
    for (int i = 0; i < 8; ++i) file[size_t(i)] = std::byte(uint64_t(header.size()) >> 8 * i);
    std::memcpy(file.data() + 8, header.data(), header.size());
    if (!data_.empty()) std::memcpy(file.data() + 8 + header.size(), data_.data(), data_.size());
    return file;
  }

 private:
  static double fan(int64_t size) { return 1 / std::sqrt(double(size)); }

  uint64_t count_ = 0;
  std::string header_;
  std::vector<std::byte> data_;
};

}  // namespace weft::test
