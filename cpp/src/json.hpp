// JSON, read in place: a value is a piece of the text that holds it, checked once and then walked. Nothing is
// allocated but the strings that a caller asks for.
//
// Source: RFC 8259
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

/// A value inside a text, which must outlive it.
class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };

  /// Checks the whole text, once. Throws std::runtime_error that names the byte and what is wrong there; for
  /// more than 64 levels too.
  static Json parse(std::string_view text);

  Kind kind() const;
  /// Each throws std::runtime_error, with `what` as the value's name, where the value is of another kind.
  bool boolean(std::string_view what) const;
  double number(std::string_view what) const;
  int64_t integer(std::string_view what) const;     ///< a whole number that fits
  std::string string(std::string_view what) const;  ///< escapes resolved, UTF-8
  bool is_string(std::string_view expected) const;
  /// Calls body(item) or body(key, value) for each, in order.
  void each_item(std::string_view what, const std::function<void(Json)>& body) const;
  void each_member(std::string_view what, const std::function<void(Json key, Json value)>& body) const;
  /// The last member of that name, as Python's reader has it.
  std::optional<Json> find(std::string_view key) const;

  std::string_view text() const { return text_; }

 private:
  explicit Json(std::string_view text) : text_(text) {}
  std::string_view text_;
};

}  // namespace weft
