// Any bytes as a model: refused with an error, or it runs and steps within its memory.
//
// A seed is a model's file, or its description in lines, which a fuzzer learns to change more easily:
//
//   the metadata's entry "weft"      {"format":1,"graph":{"op":"linear","weight":"w"}}
//   a tensor in each line after it   w F32 2 3
#include <charconv>
#include <cstring>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "visit_json.hpp"
#include "weft/model.hpp"

using weft::test::require;

namespace {

constexpr int64_t most_elements = 1 << 12, most_features = 1 << 12;

std::string_view take(std::string_view& text, char end) {
  const size_t size = text.find(end);
  const std::string_view taken = text.substr(0, size);
  text = size == text.npos ? std::string_view() : text.substr(size + 1);
  return taken;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) >= ' ') result += c;
  }
  return result + '"';
}

template <class T>
void append_numbers(std::string& data, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T number = T((i * 37 + 11) % 31 - 15) / 16;
    data.append(reinterpret_cast<const char*>(&number), sizeof(T));
  }
}

std::string file_of(std::string_view lines) {
  std::string header(R"({"__metadata__":{"weft":)"), data;
  header.append(quoted(take(lines, '\n'))).append("}");
  while (!lines.empty()) {
    std::string_view line = take(lines, '\n');
    const std::string_view name = take(line, ' '), dtype = take(line, ' ');
    std::string shape;
    int64_t count = 1;
    while (!line.empty()) {
      const std::string_view size = take(line, ' ');
      int64_t number = 0;
      std::from_chars(size.data(), size.data() + size.size(), number);
      if (number < 0 || __builtin_mul_overflow(count, number, &count)) return {};
      shape.append(shape.empty() ? "" : ",").append(std::to_string(number));
    }
    if (count > most_elements) return {};
    const std::string begin = std::to_string(data.size());
    dtype == "F64" ? append_numbers<double>(data, count) : append_numbers<float>(data, count);
    header.append(",").append(quoted(name)).append(R"(:{"dtype":)").append(quoted(dtype));
    header.append(R"(,"shape":[)").append(shape).append(R"(],"data_offsets":[)").append(begin);
    header.append(",").append(std::to_string(data.size())).append("]}");
  }
  header.append("}");
  const uint64_t size = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file.append(header).append(data);
}

/// `count` elements at the end of memory of their own, so that a sanitizer sees one too far.
template <class T>
std::vector<T> exactly(int64_t count) {
  std::vector<T> elements;
  elements.reserve(size_t(count));
  for (int64_t i = 0; i < count; ++i) elements.push_back(T(i * 7 % 5));
  return elements;
}

template <class X, class T>
void run(const weft::BasicModel<T>& model, const std::vector<X>& x, int64_t steps) {
  const int64_t outputs = model.outputs(), lengths[] = {steps, steps / 2};
  std::vector<T> y(size_t(2 * steps * outputs), T(7));
  const weft::View<T, 3> view(y.data(), {2, steps, outputs});
  if constexpr (std::is_same_v<X, T>)
    model.run(weft::View<const T, 3>(x.data(), {2, steps, model.inputs()}), view, {lengths, {2}}, 1);
  else
    model.run(weft::View<const int64_t, 2>(x.data(), {2, steps}), view, {lengths, {2}}, 1);
  for (int64_t i = lengths[1] * outputs; i < steps * outputs; ++i)
    require(y[size_t(steps * outputs + i)] == 0, "what is past a row's end is zero");
}

template <class X, class T>
void stream(const weft::BasicModel<T>& model, const X* x, int64_t width, int64_t steps) {
  weft::BasicStream<T> stream(model, model.context() > 0 && model.context() < 3 ? model.context() : 3);
  std::vector<T> y(static_cast<size_t>(model.outputs()));
  weft::BasicStream<T> second(stream);
  const auto step = [&](int64_t i) {
    if constexpr (std::is_same_v<X, T>)
      return stream.step(x + i * width, y.data());
    else
      return stream.step(x[i], y.data());
  };
  for (int64_t i = 0; i < steps; ++i) {
    const weft::Status status = step(i);
    require(
        status == (stream.capacity() == 0 || i < stream.capacity() ? weft::Status::ok : weft::Status::full),
        "a step is done, or the capacity is used up");
    if (i == 1) require(second.assign(stream), "a stream takes over another's state");
  }
  stream.reset();
  require(stream.position() == 0 && second.position() <= 2, "positions");
}

template <class T>
void use(const weft::BasicModel<T>& model) {
  constexpr int64_t steps = 5;
  const int64_t inputs = model.inputs(), outputs = model.outputs();
  require(inputs > 0 && outputs > 0, "a model has inputs and outputs");
  for (const std::string& name : model.unused_tensors()) weft::Json::parse(quoted(name));  // UTF-8, as it was
  if (inputs > most_features || outputs > most_features) return;
  const int64_t usable = model.context() > 0 && model.context() < steps ? model.context() : steps;
  if (model.takes_tokens()) {
    std::vector<int64_t> tokens = exactly<int64_t>(2 * usable);
    for (int64_t& token : tokens) token %= inputs;
    run(model, tokens, usable);
    if (model.obstacle().empty()) stream(model, tokens.data(), 1, usable);
  } else {
    const std::vector<T> x = exactly<T>(2 * usable * inputs);
    run(model, x, usable);
    if (model.obstacle().empty()) stream(model, x.data(), inputs, usable);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view given(reinterpret_cast<const char*>(bytes), size);
  const std::string text = given.starts_with('{') ? file_of(given) : std::string(given);
  const std::vector<char> file(text.begin(), text.end());
  try {
    std::visit([](const auto& model) { use(model); }, weft::parse_any_model(std::as_bytes(std::span(file))));
  } catch (const weft::BadFile& error) {
    weft::Json::parse(quoted(error.what()));  // a message is UTF-8 whatever the file holds
  } catch (const weft::BadArgument&) {        // a model too large for its arguments' sizes
  }
  return 0;
}
