// Entries of a JSON object in a model's graph, each checked as it is read, and the tensors that they name.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "src/files/json.hpp"
#include "src/files/safetensors.hpp"
#include "src/model/place.hpp"

namespace weft {

template <class T>
constexpr std::string_view dtype = sizeof(T) == 4 ? "F32" : "F64";

/// Copies of the tensors that nodes name, each once.
template <class T>
class Weights {
 public:
  explicit Weights(const Safetensors& file) : file_(file) {}

  Weight<T> take(const Place& place, const char* key, const std::string& name) {
    if (const auto found = taken_.find(name); found != taken_.end()) return found->second;
    const std::optional<Tensor> tensor = file_.find(name);
    if (!tensor) place.refuse(std::string(key) + ": the file has no tensor \"" + shortened(name) + "\"");
    if (tensor->dtype != dtype<T>)
      place.refuse(std::string(key) + " must have dtype " + std::string(dtype<T>) + ", got " +
                   std::string(tensor->dtype));
    auto array = std::make_shared<Array<T>>();
    array->shape = tensor->shape;
    array->data = aligned_array<T>(int64_t(tensor->data.size() / sizeof(T)));
    std::memcpy(array->data.get(), tensor->data.data(), tensor->data.size());
    bytes_ += int64_t(tensor->data.size());
    taken_.emplace(name, array);
    return array;
  }
  int64_t bytes() const { return bytes_; }
  /// Names of the tensors that no node has named, but for further names of a tied weight, under each of which
  /// it is there.
  std::vector<std::string> not_taken() const {
    std::vector<std::string> names;
    if (taken_.size() == file_.size()) return names;
    std::set<Content> contents;
    for (const auto& [name, array] : taken_) contents.insert(content_of(name));
    for (size_t i = 0; i < file_.size(); ++i)
      if (std::string name = file_.name(i); !contents.contains(content_of(name)))
        names.push_back(std::move(name));
    return names;
  }

 private:
  using Content =
      std::tuple<std::string_view, std::vector<int64_t>, std::string_view>;  // dtype, shape, bytes

  Content content_of(const std::string& name) const {
    const Tensor tensor = *file_.find(name);
    const auto* bytes = reinterpret_cast<const char*>(tensor.data.data());
    return {tensor.dtype, tensor.shape, {bytes, tensor.data.size()}};
  }

  const Safetensors& file_;
  std::map<std::string, Weight<T>> taken_;
  int64_t bytes_ = 0;
};

template <class T>
struct Node;

/// Nodes lie inside of nodes no deeper than the JSON does, which has a limit of its own.
template <class T>
Node<T> read_node(Json given, Weights<T>& weights, const std::string& path);

/// The most features that an entry may say: small multiples of them do not overflow.
constexpr int64_t most_features = int64_t(1) << 40;

/// An object's entries. Each that is there must have been asked for by the time it is done with, so that what
/// a newer version wrote is refused and not computed wrongly.
template <class T>
class Entries {
 public:
  Entries(Json object, const Place& place, Weights<T>& weights)
      : place(place), weights(weights), object_(object) {
    if (object.kind() != Json::Kind::object) place.refuse("it must be an object, got " + object.excerpt());
  }

  const Place& place;
  Weights<T>& weights;

  std::optional<Json> find(const char* key) {
    asked_.push_back(key);
    return object_.find(key);
  }
  Json get(const char* key) {
    const std::optional<Json> value = find(key);
    if (!value) place.refuse(std::string("there must be an entry \"") + key + "\"");
    return *value;
  }
  int64_t integer(const char* key, int64_t low, int64_t high = INT64_MAX) {
    const int64_t value = get(key).integer(place.what(key));
    if (value >= low && value <= high) return value;
    place.refuse(std::string(key) + " must be at " + (value < low ? "least " : "most ") +
                 std::to_string(value < low ? low : high) + ", got " + std::to_string(value));
  }
  /// A finite number for which `holds`.
  double number(const char* key, const char* expected, bool (*holds)(double)) {
    const Json given = get(key);
    const double value = given.number(place.what(key));
    if (std::isfinite(value) && holds(value)) return value;
    place.refuse(std::string(key) + " must be " + expected + ", got " + given.excerpt());
  }
  bool boolean(const char* key) { return get(key).boolean(place.what(key)); }
  std::string string(const char* key) { return get(key).string(place.what(key)); }
  Weight<T> weight(const char* key) { return weights.take(place, key, string(key)); }
  Weight<T> optional_weight(const char* key) { return find(key) ? weight(key) : nullptr; }
  std::unique_ptr<Node<T>> layer(const char* key) {
    return std::make_unique<Node<T>>(read_node(get(key), weights, place.inside(key)));
  }
  std::vector<Node<T>> layers(const char* key) {
    const Json given = get(key);
    const std::string what = place.what(key);
    std::vector<Node<T>> made;
    size_t count = 0;
    given.each_item(what, [&](Json) { ++count; });
    made.reserve(count);
    given.each_item(
        what, [&](Json layer) { made.push_back(read_node(layer, weights, place.inside(key, made.size()))); });
    return made;
  }
  /// The index of one of these words.
  int choice(const char* key, std::span<const char* const> words) {
    const std::string value = string(key);
    std::string known;
    for (size_t i = 0; i < words.size(); ++i) {
      if (value == words[i]) return int(i);
      known += (i ? ", " : "") + std::string(words[i]);
    }
    place.refuse(std::string(key) + " must be one of " + known + ", got \"" + shortened(value) + "\"");
  }

  void refuse_others() {
    object_.each_member(place.what("it"), [&](Json key, Json) {
      for (const char* asked : asked_)
        if (key.is_string(asked)) return;
      place.refuse("this version knows no entry " + key.excerpt());
    });
  }

 private:
  Json object_;
  std::vector<const char*> asked_;
};

}  // namespace weft
