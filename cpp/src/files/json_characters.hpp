// What JSON's characters mean, to the check of a text and to its reader alike.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>

namespace weft {

/// What may follow a backslash, but u; and what each stands for.
inline constexpr std::string_view json_escapes = "\"\\/bfnrt", json_escaped = "\"\\/\b\f\n\r\t";

inline bool is_digit(int c) { return c >= '0' && c <= '9'; }
inline bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit < 0xDC00; }
inline bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit < 0xE000; }

/// The value of four hexadecimal digits, or -1.
inline int hexadecimal(std::string_view digits) {
  int value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
  return digits.size() == 4 && digits[0] != '-' && error == std::errc() && stop == end ? value : -1;
}

}  // namespace weft
