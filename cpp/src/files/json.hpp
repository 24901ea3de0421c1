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

#include "weft/errors.hpp"

namespace weft {

/// A text of any size for a message: its beginning, in whole characters of UTF-8.
std::string shortened(std::string_view text, size_t most = 60);

/// A value inside a text, which must outlive it.
class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };

  /// Checks the whole text, once: the grammar, UTF-8, that every \u escape is a character, at most 64 levels.
  /// Throws BadFile, with `what` as the text's name: "header is not JSON: byte 7: expected ':'".
  static Json parse(std::string_view text, std::string_view what = "text");

  Kind kind() const;
  /// Each throws BadFile, with `what` as the value's name, where the value is of another kind.
  bool boolean(std::string_view what) const;
  double number(std::string_view what) const;
  int64_t integer(std::string_view what) const;     ///< digits alone, no fraction or exponent; it must fit
  std::string string(std::string_view what) const;  ///< escapes resolved, UTF-8
  bool is_string(std::string_view expected) const;
  /// Of a string: its order against another by their bytes, escapes resolved: < 0, 0 or > 0.
  int compare(std::string_view other) const;
  int compare(const Json& other) const;
  /// Calls body(item) or body(key, value) for each, in order.
  void each_item(std::string_view what, const std::function<void(Json)>& body) const;
  void each_member(std::string_view what, const std::function<void(Json key, Json value)>& body) const;
  /// The last member of that name, as Python's reader has it.
  std::optional<Json> find(std::string_view key) const;

  std::string_view text() const { return text_; }
  std::string excerpt() const { return shortened(text_); }

 private:
  void expect(Kind kind, std::string_view what) const;

  explicit Json(std::string_view text) : text_(text) {}
  std::string_view text_;
};

}  // namespace weft
