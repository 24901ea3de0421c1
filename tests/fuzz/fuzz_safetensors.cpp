// Any bytes as a safetensors file: refused with an error, or its tensors lie side by side within it.
//
// Where the bytes begin with {, they are a header, up to the first }}, and data; its length is put before
// them, as a fuzzer does not learn to keep a length right.
#include <cstring>
#include <vector>

#include "src/files/safetensors.hpp"
#include "visit_json.hpp"

using weft::test::require;

namespace {

void check(std::span<const std::byte> file) {
  const weft::Safetensors tensors = weft::Safetensors::parse(file);
  uint64_t header_size = 0;
  std::memcpy(&header_size, file.data(), 8);
  const weft::Json header = weft::Json::parse({reinterpret_cast<const char*>(file.data()) + 8, header_size});
  weft::test::visit(header);

  size_t count = 0, held = 0;
  unsigned sum = 0;
  header.each_member("header", [&](weft::Json name, weft::Json value) {
    if (name.is_string("__metadata__")) {
      value.each_member("metadata", [&](weft::Json key, weft::Json) {
        require(tensors.metadata(key.string("key")).has_value(), "metadata is found by its key");
      });
      return;
    }
    const auto tensor = tensors.find(name.string("name"));
    require(tensor.has_value(), "a tensor is found by its name");
    for (const std::byte byte : tensor->data) sum += std::to_integer<unsigned>(byte);
    ++count;
    held += tensor->data.size();
  });
  require(count == tensors.size(), "every tensor is counted");
  require(8 + header_size + held == file.size(), "every byte belongs to one tensor");
  static volatile unsigned sink;
  sink = sink ^ sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::vector<std::byte> file(reinterpret_cast<const std::byte*>(bytes),
                              reinterpret_cast<const std::byte*>(bytes) + size);
  if (size > 0 && bytes[0] == '{') {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const size_t end = text.find("}}");
    const uint64_t header_size = end == text.npos ? size : end + 2;
    file.insert(file.begin(), 8, std::byte{});
    std::memcpy(file.data(), &header_size, 8);
  }
  try {
    check(file);
  } catch (const weft::BadFile&) {
  }
  return 0;
}
