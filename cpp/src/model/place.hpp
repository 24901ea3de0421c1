// Where in a model's graph something is wrong, and how errors say so.
#pragma once

#include "src/checks/errors.hpp"
#include "src/model/weight.hpp"

namespace weft {

/// `layers.1 (linear): weight must be (O, I) = (?, 32), got (10, 16)`
class Place {
 public:
  Place(std::string path, const std::string& op)
      : path_(std::move(path)), text_((path_.empty() ? "graph" : path_) + " (" + op + "): ") {}

  /// The path of a node inside of this one.
  std::string inside(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  std::string inside(const char* key, size_t index) const {
    return inside(std::string(key) + "." + std::to_string(index));
  }
  /// " at layers.1", or nothing for the outermost node.
  std::string at() const { return path_.empty() ? "" : " at " + path_; }
  std::string what(const std::string& key) const { return text_ + key; }

  [[noreturn]] void refuse(const std::string& message) const { throw BadFile({}, {}, text_ + message); }

  static constexpr int64_t any = -1;

  /// The shape of a weight, which must be `expected`, and nothing in it zero; of an absent one nothing.
  template <class T>
  std::vector<int64_t> expect(const char* key, const Weight<T>& weight, const std::string& symbolic,
                              const std::vector<int64_t>& expected) const {
    if (!weight) return {};
    const std::vector<int64_t>& shape = weight->shape;
    bool same = shape.size() == expected.size();
    for (size_t axis = 0; same && axis < shape.size(); ++axis)
      same = shape[axis] > 0 && (expected[axis] == any || shape[axis] == expected[axis]);
    if (same) return shape;
    std::string sizes;
    for (const int64_t size : expected)
      sizes += (sizes.empty() ? "" : ", ") + (size == any ? "?" : std::to_string(size));
    refuse(std::string(key) + " must be " + symbolic + " = (" + sizes + (expected.size() == 1 ? ",)" : ")") +
           ", got " + shape_text(shape.data(), int(shape.size())));
  }

 private:
  std::string path_, text_;
};

}  // namespace weft
