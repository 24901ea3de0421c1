// JSON: all that RFC 8259 allows is read, nothing else is; whatever the bytes, nothing is read beyond the
// text.
#include <clocale>
#include <memory>

#include "allocations.hpp"
#include "check.hpp"
#include "src/files/json.hpp"
#include "visit_json.hpp"

using namespace weft::test;
using weft::Json;

namespace {

using namespace std::string_literals;

/// The text at the very end of its own memory, so that a sanitizer sees a byte too far.
bool valid(const std::string& text) {
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  try {
    visit(Json::parse({copy.get(), text.size()}));
    return true;
  } catch (const weft::BadFile& error) {
    check(std::string(error.what()).starts_with("text is not JSON: byte "), error.what());
    return false;
  }
}

void test_grammar() {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "17",
                           "-1.5",
                           "0.25e3",
                           "1E+2",
                           "1e-2",
                           "0e0",
                           "\"\"",
                           "[]",
                           "{}",
                           " \t\r\n[ \n] ",
                           "[1,2]",
                           "[ 1 , [ ] , { } ]",
                           "{\"\":0}",
                           " { \"a\" : [ { \"b\" : null } ] , \"a\":1 } ",
                           "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
                           "\"\x7f\"",
                           "[\"]\",\"}\",\"\\\\\",\"\\\"\"]"})
    check(valid(text), "refused: "s + text);
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "-",
                           "+1",
                           "01",
                           "-01",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "1.e1",
                           "0x10",
                           "1_000",
                           "1 2",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "}",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{a:1}",
                           "{\"a\" 1}",
                           "{1:1}",
                           "[}",
                           "{]",
                           "{\"a\":1,}",
                           "{,}",
                           "{\"a\":}",
                           "'a'",
                           "\"",
                           "\"a",
                           "\"\\",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\u-123\"",
                           "\"\\u+123\"",
                           "\"\\u 123\"",
                           "\"\t\"",
                           "\"\n\"",
                           "// 1",
                           "1 // 1",
                           "/**/1",
                           "\xEF\xBB\xBF"
                           "1",
                           "\v1",
                           "[1]]",
                           "{}{}"})
    check(!valid(text), "accepted: "s + text);
  check(!valid("1\0"s) && !valid("\0"s) && !valid("\"\0\""s) && !valid("[\0]"s), "a NUL was accepted");
  check_throws<weft::BadFile>([] { Json::parse("[1, 2", "graph"); },
                              {"graph is not JSON: byte 5: expected ',' or ']'"});
  check_throws<weft::BadFile>([] { Json::parse("{\"a\" 1}", "graph"); }, {"byte 5: expected ':'"});
}

void test_depth() {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  check(valid(nested(64)), "64 levels were refused");
  check(!valid(nested(65)) && !valid(nested(1'000'000)), "more than 64 levels were accepted");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  check_throws<weft::BadFile>([&] { Json::parse(objects); }, {"byte 320: more than 64 levels"});
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  check(valid(wide + "0]"), "many brackets at one level are no depth");
}

void test_utf8() {
  for (const auto& bytes : {"\x7F"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,
                            "\xEE\x80\x80"s, "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s})
    check(valid('"' + bytes + '"'), "UTF-8 was refused");
  for (const auto& bytes :
       {"\x80"s, "\xBF"s, "\xC0\x80"s, "\xC1\xBF"s, "\xC2"s, "\xC2 "s, "\xC2\xC2"s, "\xE0\x9F\xBF"s,
        "\xE1\x80"s, "\xED\xA0\x80"s, "\xED\xBF\xBF"s, "\xF0\x8F\xBF\xBF"s, "\xF1\x80\x80"s,
        "\xF1\x80\x80\x7F"s, "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s, "\xFE"s, "\xFF"s}) {
    check(!valid('"' + bytes + '"'), "what is not UTF-8 was accepted");
    check(!valid('"' + bytes), "what is not UTF-8 was accepted at the end");
  }
}

void test_escapes() {
  const auto text = [](const std::string& inside) { return Json::parse(inside).string("it"); };
  check(text(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t", "short escapes");
  check(text(R"("\u0000\u0041\u007f")") == "\0A\x7F"s, "one byte");
  check(text(R"("\u0080\u00E9\u07ff")") == "\xC2\x80\xC3\xA9\xDF\xBF", "two bytes");
  check(text(R"("\u0800\uD7ff\ue000\uFFFF")") == "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", "three");
  check(
      text(R"("\ud800\udc00\uD83D\uDE00\uDBFF\uDFFF")") == "\xF0\x90\x80\x80\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF",
      "four bytes");
  for (const char* half : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\n")", R"("\ud800\ud800")",
                           R"("\ud800\u0041")", R"("\udc00\ud800")", R"("\ud800\udc0")", R"("\ud800\u)"})
    check(!valid(half), "half of a surrogate pair was accepted: "s + half);

  check(Json::parse(R"("a\u0062")").is_string("ab") && !Json::parse("\"ab\"").is_string("abc"), "is_string");
  check(!Json::parse("\"abc\"").is_string("ab") && !Json::parse("17").is_string("17"), "is_string");
  check(Json::parse(R"("a\u0000")").is_string("a\0"s), "a string may hold a NUL");
  check(Json::parse("\"b\"").compare(Json::parse(R"("\u0061b")")) > 0, "order");
  check(Json::parse("\"\xC3\xA9\"").compare("z") > 0 && Json::parse("\"\"").compare("a") < 0, "order");
}

void test_numbers() {
  const auto number = [](const char* text) { return Json::parse(text).number("rate"); };
  const auto integer = [](const char* text) { return Json::parse(text).integer("size"); };
  check(number("0.1") == 0.1 && number("-2.5e-3") == -2.5e-3 && number("1E2") == 100, "numbers");
  check(number("1.7976931348623157e308") == 1.7976931348623157e308 && number("5e-324") == 5e-324, "extremes");
  check(number("12345678901234567890123") == 12345678901234567890123.0, "many digits");
  check_throws<weft::BadFile>([&] { number("1e999"); },
                              {"rate must be within the range of a double, got 1e999"});
  check(integer("0") == 0 && integer("-0") == 0 && integer("-17") == -17, "integers");
  check(integer("9223372036854775807") == INT64_MAX && integer("-9223372036854775808") == INT64_MIN,
        "integers");
  for (const char* text : {"1.0", "1e3", "9223372036854775808", "-9223372036854775809", "1.5"})
    check_throws<weft::BadFile>([&] { integer(text); }, {"size must be a whole number", text});
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"})  // where a machine has them
    if (std::setlocale(LC_ALL, name)) check(number("0.5") == 0.5, "numbers depend on the locale");
  std::setlocale(LC_ALL, "C");
}

void test_kinds() {
  const auto refused = [](const char* text, const auto& action, const char* message) {
    check_throws<weft::BadFile>([&] { action(Json::parse(text)); }, {message});
  };
  refused("1", [](Json v) { v.boolean("causal"); }, "causal must be true or false, got 1");
  refused("\"1\"", [](Json v) { v.number("eps"); }, "eps must be a number, got \"1\"");
  refused("null", [](Json v) { v.integer("heads"); }, "heads must be a number, got null");
  refused("[1]", [](Json v) { v.string("op"); }, "op must be a string, got [1]");
  refused("{}", [](Json v) { v.each_item("layers", [](Json) {}); }, "layers must be an array, got {}");
  refused("[]", [](Json v) { v.each_member("graph", [](Json, Json) {}); }, "graph must be an object, got []");
  refused("[]", [](Json v) { v.find("op"); }, "what has the member op must be an object, got []");
  check(Json::parse("true").boolean("it") && !Json::parse("false").boolean("it"), "booleans");

  const std::string umlauts = "\"" + std::string(59, 'a') + "\xC3\xA9\xC3\xA9\"";
  check(Json::parse(umlauts).excerpt() == "\"" + std::string(59, 'a') + "...",
        "an excerpt of whole characters");
  check(Json::parse('"' + std::string(1'000'000, 'a') + '"').excerpt().size() == 63, "an excerpt is short");
}

void test_walking() {
  const Json value =
      Json::parse(R"( { "a" : 1 , "b":[{"a":2}, "]}\\", [ ] ,-1e1] ,"a":{"x":"\"}"}, "\u0063" : true} )");
  std::string seen;
  value.each_member("it",
                    [&](Json key, Json member) { seen += key.string("it") + std::string(member.text()); });
  check(seen == R"(a1b[{"a":2}, "]}\\", [ ] ,-1e1]a{"x":"\"}"}ctrue)", "members: " + seen);
  check(value.find("a")->find("x")->is_string("\"}"), "the last member of a name counts");
  check(value.find("c")->boolean("c") && !value.find("d") && !value.find(""), "find");
  seen.clear();
  value.find("b")->each_item("b", [&](Json item) { seen += std::string(item.text()) + ";"; });
  check(seen == R"({"a":2};"]}\\";[ ];-1e1;)", "items: " + seen);
}

const std::string sample =
    R"({"op":"sequential","layers":[{"op":"linear","weight":"0.w","bias":null},[-1.5e+3,0,true,false]],)"
    "\"\\u00e9\\ud83d\\ude00\\n\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}";

void test_truncated() {
  check(valid(sample), "the sample is valid");
  for (size_t size = 0; size < sample.size(); ++size)
    check(!valid(sample.substr(0, size)), "cut at " + std::to_string(size));
}

void test_every_byte_changed() {
  for (size_t i = 0; i < sample.size(); ++i)
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = sample;
      changed[i] = static_cast<char>(byte);
      valid(changed);
    }
}

void test_allocations() {
  std::string text = "[";
  for (int i = 0; i < 10'000; ++i) text += R"({"name":[1,2,{"a":"\u00e9"}],"b":null},)";
  text += "0]";
  size_t items = 0;
  const auto used = allocations_of([&] {
    Json::parse(text).each_item("it", [&](Json item) {
      ++items;
      if (item.kind() == Json::Kind::object && !item.find("b")->is_string("null")) ++items;
    });
  });
  check(items == 20'001, "items");
  check(used.bytes < 256, "walking took " + std::to_string(used.bytes) + " bytes");
}

}  // namespace

int main() {
  test_grammar();
  test_depth();
  test_utf8();
  test_escapes();
  test_numbers();
  test_kinds();
  test_walking();
  test_truncated();
  test_every_byte_changed();
  test_allocations();
  return failures();
}
