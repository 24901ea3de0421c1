// Reads all of a JSON text, for tests and fuzzers.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "src/files/json.hpp"

namespace weft::test {

/// Ends the program where a promise is broken: the one signal that a fuzzer understands.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Walks everything and reads every value in every way that its kind allows.
inline size_t visit(const Json& value) {
  size_t total = 1 + value.excerpt().size();
  switch (value.kind()) {
    case Json::Kind::null:
      break;
    case Json::Kind::boolean:
      total += value.boolean("it");
      break;
    case Json::Kind::number:
      try {
        total += value.number("it") > 0;
        total += value.integer("it") > 0;
      } catch (const weft::BadFile&) {  // a fraction, or out of range
      }
      break;
    case Json::Kind::string:
      total += value.string("it").size();
      require(value.is_string(value.string("it")) && value.compare(value) == 0, "a string is itself");
      break;
    case Json::Kind::array:
      value.each_item("it", [&](Json item) { total += visit(item); });
      break;
    case Json::Kind::object:
      value.each_member("it", [&](Json key, Json member) {
        total += visit(key) + visit(member);
        require(value.find(key.string("it")).has_value(), "a member is found by its name");
      });
  }
  return total;
}

}  // namespace weft::test
