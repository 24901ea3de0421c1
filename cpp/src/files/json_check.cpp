// The grammar of JSON, checked once for a whole text: what json.cpp walks needs no second look.
#include "src/files/json.hpp"
#include "src/files/json_characters.hpp"

namespace weft {
namespace {

constexpr int deepest = 64;

/// The grammar, from a text's beginning to its end.
class Check {
 public:
  Check(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  /// The value, without the space around it.
  std::string_view document() {
    space();
    const size_t begin = at_;
    value(0);
    const size_t end = at_;
    space();
    if (at_ < text_.size()) fail("the text goes on behind its value");
    return text_.substr(begin, end - begin);
  }

 private:
  [[noreturn]] void fail(const char* wrong) const {
    throw BadFile({}, {}, std::string(what_) + " is not JSON: byte " + std::to_string(at_) + ": " + wrong);
  }
  /// -1 behind the end.
  int peek(size_t ahead = 0) const {
    return ahead < text_.size() - at_ ? static_cast<unsigned char>(text_[at_ + ahead]) : -1;
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (is_space(peek())) ++at_;
  }

  void value(int depth) {
    const int c = peek();
    if (c == '{' || c == '[') {
      if (depth == deepest) fail("more than 64 levels");
      ++at_;
      return c == '{' ? members(depth + 1) : items(depth + 1);
    }
    if (c == '"') return string();
    if (c == '-' || is_digit(c)) return number();
    for (const std::string_view literal : {"null", "true", "false"})
      if (text_.substr(at_, literal.size()) == literal) {
        at_ += literal.size();
        return;
      }
    fail(c < 0 ? "the text ends where a value is due" : "expected a value");
  }

  void members(int depth) {
    space();
    if (take('}')) return;
    do {
      space();
      if (peek() != '"') fail("expected a name in quotes");
      string();
      space();
      if (!take(':')) fail("expected ':'");
      space();
      value(depth);
      space();
    } while (take(','));
    if (!take('}')) fail("expected ',' or '}'");
  }

  void items(int depth) {
    space();
    if (take(']')) return;
    do {
      space();
      value(depth);
      space();
    } while (take(','));
    if (!take(']')) fail("expected ',' or ']'");
  }

  void digits() {
    if (!is_digit(peek())) fail("expected a digit");
    while (is_digit(peek())) ++at_;
  }
  void number() {
    take('-');
    if (!take('0')) digits();
    if (is_digit(peek())) fail("a number may not begin with 0");
    if (take('.')) digits();
    if (!take('e') && !take('E')) return;
    if (!take('-')) take('+');
    digits();
  }

  void string() {
    ++at_;
    while (!take('"')) {
      const int c = peek();
      if (c < 0) fail("the text ends inside a string");
      if (c < 0x20) fail("a control character must be escaped");
      if (c == '\\')
        escape();
      else if (c < 0x80)
        ++at_;
      else
        character(c);
    }
  }
  void escape() {
    const int c = peek(1);
    if (c != 'u') {
      if (c < 0 || json_escapes.find(static_cast<char>(c)) == json_escapes.npos) fail("unknown escape");
      at_ += 2;
      return;
    }
    const int unit = hexadecimal(text_.substr(at_).substr(2, 4));
    if (unit < 0) fail("expected four hexadecimal digits");
    if (is_low_surrogate(unit)) fail("half of a surrogate pair");
    if (is_high_surrogate(unit)) {
      const std::string_view second = text_.substr(at_ + 6, 6);
      if (!second.starts_with("\\u") || !is_low_surrogate(hexadecimal(second.substr(2))))
        fail("half of a surrogate pair");
      at_ += 6;
    }
    at_ += 6;
  }
  /// One of several bytes. The second byte's range leaves out what has a shorter form, surrogates and what
  /// lies beyond U+10FFFF (RFC 3629).
  void character(int lead) {
    const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    bool valid = lead >= 0xC2 && lead <= 0xF4;
    for (size_t i = 1; i < size; ++i, low = 0x80, high = 0xBF)
      valid = valid && peek(i) >= low && peek(i) <= high;
    if (!valid) fail("not UTF-8");
    at_ += size;
  }

  std::string_view text_, what_;
  size_t at_ = 0;
};

}  // namespace

Json Json::parse(std::string_view text, std::string_view what) { return Json(Check(text, what).document()); }

}  // namespace weft
