#include "src/files/json.hpp"

#include <algorithm>
#include <charconv>

#include "src/files/json_characters.hpp"

namespace weft {
namespace {

/// The bytes of a checked string one after the other, escapes resolved.
class Bytes {
 public:
  explicit Bytes(std::string_view string) : text_(string.substr(1, string.size() - 2)) {}

  /// -1 behind the end.
  int next() {
    if (pending_ > 0) return waiting_[--pending_];
    if (text_.empty()) return -1;
    if (text_[0] != '\\') return take(1)[0];
    if (text_[1] != 'u') return static_cast<unsigned char>(json_escaped[json_escapes.find(char(take(2)[1]))]);
    int code = unit();
    if (is_high_surrogate(code)) code = 0x10000 + ((code - 0xD800) << 10) + unit() - 0xDC00;
    if (code < 0x80) return code;
    // The bytes behind the first wait in reverse: six bits each, and what is left goes to the first.
    constexpr int marks[] = {0, 0xC0, 0xE0, 0xF0};
    const int behind = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (; pending_ < behind; code >>= 6) waiting_[pending_++] = 0x80 | (code & 0x3F);
    return marks[behind] | code;
  }

 private:
  const unsigned char* take(size_t count) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text_.data());
    text_.remove_prefix(count);
    return bytes;
  }
  int unit() { return hexadecimal({reinterpret_cast<const char*>(take(6)) + 2, 4}); }

  std::string_view text_;
  int waiting_[3], pending_ = 0;
};

/// The bytes of any other string, likewise.
class Plain {
 public:
  explicit Plain(std::string_view text) : text_(text) {}
  int next() { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_++]) : -1; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

template <class Left, class Right>
int compare(Left left, Right right) {
  for (;;) {
    const int a = left.next(), b = right.next();
    if (a != b || a < 0) return a - b;
  }
}

// Where something ends, or what follows begins, in a checked text.

size_t behind_space(std::string_view text, size_t at) {
  while (is_space(text[at])) ++at;
  return at;
}
size_t behind_string(std::string_view text, size_t at) {
  while (text[++at] != '"')
    if (text[at] == '\\') ++at;
  return at + 1;
}
size_t behind_value(std::string_view text, size_t at) {
  if (text[at] == '"') return behind_string(text, at);
  if (text[at] != '{' && text[at] != '[') return std::min(text.find_first_of(" \t\n\r,]}", at), text.size());
  int depth = 0;
  do {
    const char c = text[at];
    at = c == '"' ? behind_string(text, at) : at + 1;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
  } while (depth > 0);
  return at;
}
/// The next item or the closing bracket.
size_t behind_comma(std::string_view text, size_t at) {
  at = behind_space(text, at);
  return text[at] == ',' ? behind_space(text, at + 1) : at;
}

[[noreturn]] void refuse(std::string_view what, const char* expected, const Json& actual) {
  throw BadFile({}, {}, std::string(what) + " must be " + expected + ", got " + actual.excerpt());
}

}  // namespace

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while ((text[most] & 0xC0) == 0x80) --most;  // not within a character
  return std::string(text.substr(0, most)) + "...";
}

Json::Kind Json::kind() const {
  switch (text_[0]) {
    case 'n':
      return Kind::null;
    case 't':
    case 'f':
      return Kind::boolean;
    case '"':
      return Kind::string;
    case '[':
      return Kind::array;
    case '{':
      return Kind::object;
    default:
      return Kind::number;
  }
}

void Json::expect(Kind kind, std::string_view what) const {
  constexpr const char* names[] = {"null", "true or false", "a number", "a string", "an array", "an object"};
  if (this->kind() != kind) refuse(what, names[static_cast<int>(kind)], *this);
}

bool Json::boolean(std::string_view what) const {
  expect(Kind::boolean, what);
  return text_[0] == 't';
}

// Not strtod: a host program may have set a locale in which 0.5 is spelled 0,5.
double Json::number(std::string_view what) const {
  expect(Kind::number, what);
  double value = 0;
  if (std::from_chars(text_.data(), text_.data() + text_.size(), value).ec != std::errc())
    refuse(what, "within the range of a double", *this);
  return value;
}

int64_t Json::integer(std::string_view what) const {
  expect(Kind::number, what);
  int64_t value = 0;
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(text_.data(), end, value);
  if (stop != end) refuse(what, "a whole number", *this);
  if (error != std::errc()) refuse(what, "a whole number of 64 bits", *this);
  return value;
}

std::string Json::string(std::string_view what) const {
  expect(Kind::string, what);
  std::string value;
  value.reserve(text_.size() - 2);  // escapes only shorten
  Bytes bytes(text_);
  for (int byte; (byte = bytes.next()) >= 0;) value += static_cast<char>(byte);
  return value;
}

bool Json::is_string(std::string_view expected) const {
  return kind() == Kind::string && compare(expected) == 0;
}
int Json::compare(std::string_view other) const { return weft::compare(Bytes(text_), Plain(other)); }
int Json::compare(const Json& other) const { return weft::compare(Bytes(text_), Bytes(other.text_)); }

void Json::each_item(std::string_view what, const std::function<void(Json)>& body) const {
  expect(Kind::array, what);
  for (size_t at = behind_space(text_, 1); text_[at] != ']';) {
    const size_t end = behind_value(text_, at);
    body(Json(text_.substr(at, end - at)));
    at = behind_comma(text_, end);
  }
}

void Json::each_member(std::string_view what, const std::function<void(Json, Json)>& body) const {
  expect(Kind::object, what);
  for (size_t at = behind_space(text_, 1); text_[at] != '}';) {
    const size_t colon = behind_string(text_, at);
    const Json key(text_.substr(at, colon - at));
    at = behind_space(text_, behind_space(text_, colon) + 1);
    const size_t end = behind_value(text_, at);
    body(key, Json(text_.substr(at, end - at)));
    at = behind_comma(text_, end);
  }
}

std::optional<Json> Json::find(std::string_view key) const {
  if (kind() != Kind::object) refuse("what has the member " + std::string(key), "an object", *this);
  std::optional<Json> found;
  each_member({}, [&](Json name, Json value) {
    if (name.is_string(key)) found = value;
  });
  return found;
}

}  // namespace weft
