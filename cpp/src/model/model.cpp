// Models: loading, and what they say of themselves. Running them is apart, in model_run.cpp: it links the
// kernels of whole sequences, which a program that only streams does without.
#include "weft/model.hpp"

#include "src/files/safetensors.hpp"
#include "src/model/graph.hpp"

namespace weft {

template <class T>
BasicModel<T> BasicModel<T>::load(const std::string& path) {
  return BasicModel(parse_graph<T>(Safetensors::load(path)));
}
template <class T>
BasicModel<T> BasicModel<T>::parse(std::span<const std::byte> file) {
  return BasicModel(parse_graph<T>(Safetensors::parse(file)));
}

template <class T>
bool BasicModel<T>::takes_tokens() const noexcept {
  return graph_->takes_tokens;
}
template <class T>
int64_t BasicModel<T>::inputs() const noexcept {
  return graph_->inputs;
}
template <class T>
int64_t BasicModel<T>::outputs() const noexcept {
  return graph_->root.outputs;
}
template <class T>
int64_t BasicModel<T>::context() const noexcept {
  return graph_->context;
}
template <class T>
const std::string& BasicModel<T>::obstacle() const noexcept {
  return graph_->obstacle;
}
template <class T>
const std::vector<std::string>& BasicModel<T>::unused_tensors() const noexcept {
  return graph_->unused_tensors;
}

#define WEFT_INSTANTIATE(T)                                                \
  template BasicModel<T> BasicModel<T>::load(const std::string&);          \
  template BasicModel<T> BasicModel<T>::parse(std::span<const std::byte>); \
  template bool BasicModel<T>::takes_tokens() const noexcept;              \
  template int64_t BasicModel<T>::inputs() const noexcept;                 \
  template int64_t BasicModel<T>::outputs() const noexcept;                \
  template int64_t BasicModel<T>::context() const noexcept;                \
  template const std::string& BasicModel<T>::obstacle() const noexcept;    \
  template const std::vector<std::string>& BasicModel<T>::unused_tensors() const noexcept;
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

/// What may make models of graphs.
struct AnyModelReader {
  static AnyModel read(const Safetensors& file) {
    if (has_float64_weights(file)) return Model64(parse_graph<double>(file));
    return Model(parse_graph<float>(file));
  }
};
AnyModel load_any_model(const std::string& path) { return AnyModelReader::read(Safetensors::load(path)); }
AnyModel parse_any_model(std::span<const std::byte> file) {
  return AnyModelReader::read(Safetensors::parse(file));
}

}  // namespace weft
