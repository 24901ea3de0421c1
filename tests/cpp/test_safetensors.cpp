// The safetensors reader: what the format allows is read; whatever else the bytes are, an error says what is
// wrong, nothing is read beyond them, and memory stays within twice their number.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "allocations.hpp"
#include "check.hpp"
#include "src/files/safetensors.hpp"

using namespace weft::test;
using weft::Safetensors;

namespace {

using namespace std::string_literals;

std::string length(uint64_t size) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(size >> 8 * i & 0xFF);
  return bytes;
}
std::string file(const std::string& header, const std::string& data = "") {
  return length(header.size()) + header + data;
}
std::string bytes(size_t count) { return std::string(count, '\1'); }
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

/// The file's bytes at the very end of their own memory, so that a sanitizer sees a byte too far.
struct Exact {
  explicit Exact(const std::string& text) : size(text.size()), memory(new std::byte[size]) {
    std::memcpy(memory.get(), text.data(), size);
  }
  std::span<const std::byte> span() const { return {memory.get(), size}; }

  size_t size;
  std::unique_ptr<std::byte[]> memory;
};

const std::string sample = file(
    R"({"__metadata__":{"weft":"{\"format\":1}","k\u00e9":"v"},)" + entry("a", "F32", "[2,3]", "[8,32]") +
        "," + entry("b\\u0062", "I64", "[]", "[0,8]") + "," + entry("none", "F64", "[0,3]", "[32,32]") + "} ",
    bytes(8) + "abcdefghijklmnopqrstuvwx");

void test_reads() {
  const Exact exact(sample);
  const Safetensors tensors = Safetensors::parse(exact.span());
  check(tensors.size() == 3, "three tensors");
  const auto a = tensors.find("a"), b = tensors.find("bb"), none = tensors.find("none");
  check(a && a->dtype == "F32" && a->shape == std::vector<int64_t>{2, 3} && a->data.size() == 24, "a");
  check(a && std::memcmp(a->data.data(), "abcdefghijklmnopqrstuvwx", 24) == 0, "a's bytes");
  check(b && b->dtype == "I64" && b->shape.empty() && b->data.size() == 8, "bb");
  check(none && none->shape == std::vector<int64_t>{0, 3} && none->data.empty(), "none");
  for (const char* name : {"", "c", "b", "bbb", "__metadata__", "A"}) check(!tensors.find(name), name);
  check(tensors.metadata("weft") == R"({"format":1})" && tensors.metadata("k\xC3\xA9") == "v", "metadata");
  check(!tensors.metadata("a") && !tensors.metadata(""), "metadata that is not there");

  const Exact empty(file("{}"));
  check(Safetensors::parse(empty.span()).size() == 0, "no tensors");
  check(!Safetensors::parse(empty.span()).metadata("weft"), "no metadata");
}

void test_every_dtype() {
  const std::pair<const char*, int> sizes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2},
                                               {"F16", 2},  {"U32", 4}, {"I32", 4}, {"F32", 4}, {"U64", 8},
                                               {"I64", 8},  {"F64", 8}, {"C64", 8}};
  for (const auto& [name, size] : sizes) {
    std::string header = "{";
    header.append(entry("x", name, "[3]", "[0,"s.append(std::to_string(3 * size)).append("]"))).append("}");
    const Exact exact(file(header, bytes(3 * size)));
    const auto x = Safetensors::parse(exact.span()).find("x");
    check(x && x->dtype == name && x->data.size() == size_t(3 * size), name);
  }
}

struct Hostile {
  std::string bytes;
  const char* message;
};

std::vector<Hostile> hostile_files() {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file("{" + entry("a", dtype, shape, offsets) + "}", bytes(8));
  };
  const auto two = [](const std::string& a, const std::string& b, size_t size) {
    return file("{" + a + "," + b + "}", bytes(size));
  };
  const std::string good = entry("a", "F32", "[2]", "[0,8]");
  const auto info = [](const std::string& inside) { return file("{\"a\":" + inside + "}", bytes(8)); };
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  return {
      {"", "too short for a safetensors file: 0 bytes"},
      {bytes(7), "too short for a safetensors file: 7 bytes"},
      {file(""), "its header does not begin with {"},
      {file("weft"), "its header does not begin with {"},
      {file(" {}"), "its header does not begin with {"},
      {file("[]"), "its header does not begin with {"},
      {file("{\"\xFF\":1}"), "header is not JSON: byte 2: not UTF-8"},
      {file("{} x"), "header is not JSON: byte 3"},
      {file("{}\0"s), "header is not JSON: byte 2"},
      {file(deep), "more than 64 levels"},
      {length(3) + "{}", "its header would be 3 bytes"},
      {length(uint64_t{1} << 63) + "{}", "its header would be 9223372036854775808 bytes"},
      {length(UINT64_MAX) + "{}", "its header would be 18446744073709551615 bytes"},
      {length(UINT64_MAX - 7) + "{}", "its header would be 18446744073709551608 bytes"},
      {"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix"s, "not a safetensors file"},
      {file("{" + good + "}", bytes(7)),
       "tensor \"a\": data_offsets [0,8] lie beyond the file, which has 7 bytes"},
      {file("{" + good + "}", bytes(9)), "1 bytes of data belong to no tensor"},
      {file("{}", bytes(1)), "1 bytes of data belong to no tensor"},
      {one("F32", "[4611686018427387904,4]", "[0,8]"), "shape overflows"},
      {one("F32", "[4294967296,4294967296]", "[0,8]"), "shape overflows"},
      {one("F64", "[1152921504606846976]", "[0,8]"), "shape overflows"},
      {one("F32", "[9223372036854775809,2]", "[0,8]"), "whole number of 64 bits, got 9223372036854775809"},
      {one("F32", "[18446744073709551618]", "[0,8]"), "whole number of 64 bits"},
      {one("F32", "[1099511627776]", "[0,4398046511104]"), "lie beyond the file"},
      {one("F32", "[3]", "[0,8]"), "dtype and shape make 12 bytes, data_offsets 8"},
      {one("F32", "[0]", "[0,8]"), "dtype and shape make 0 bytes, data_offsets 8"},
      {one("F32", "[-2]", "[0,8]"), "a size of shape must not be negative, got -2"},
      {one("F32", "[-0]", "[0,0]"), "must not be negative, got -0"},
      {one("F32", "[-1,-2]", "[0,8]"), "must not be negative, got -1"},
      {one("F32", "[2.0]", "[0,8]"), "a whole number, got 2.0"},
      {one("F32", "[\"2\"]", "[0,8]"), "must be a number, got \"2\""},
      {one("F32", "[[2]]", "[0,8]"), "must be a number, got [2]"},
      {one("F32", "2", "[0,8]"), "shape must be an array, got 2"},
      {one("F32", "[2,1,1,1,1,1,1,1,1]", "[0,8]"), "more than 8 axes"},
      {one("F32", "[2]", "[-8,0]"), "must not be negative, got -8"},
      {one("F32", "[2]", "[8,0]"), "data_offsets must be [begin, end], got [8,0]"},
      {one("F32", "[2]", "[0]"), "data_offsets must be [begin, end], got [0]"},
      {one("F32", "[2]", "[0,8,8]"), "data_offsets must be [begin, end], got [0,8,8]"},
      {one("F32", "[2]", "[0,8.0]"), "a whole number, got 8.0"},
      {one("F32", "[2]", "[0,18446744073709551624]"), "whole number of 64 bits"},
      {one("F32", "[2]", "[1099511627776,1099511627784]"), "lie beyond the file"},
      {one("F32", "[1]", "[4,8]"), "\"a\" has a hole before it"},
      {one("F32", "[1]", "[0,4]"), "4 bytes of data belong to no tensor"},
      {one("F13", "[2]", "[0,8]"), "unknown dtype \"F13\""},
      {one("f32", "[2]", "[0,8]"), "unknown dtype \"f32\""},
      {one("BF16", "[4]", "[0,8]"), "unknown dtype \"BF16\""},
      {one("", "[2]", "[0,8]"), "unknown dtype \"\""},
      {info("{}"), "tensor \"a\": no dtype"},
      {info(R"({"dtype":"F32","data_offsets":[0,8]})"), "tensor \"a\": no shape"},
      {info(R"({"dtype":"F32","shape":[2]})"), "tensor \"a\": no data_offsets"},
      {info(R"({"dtype":7,"shape":[2],"data_offsets":[0,8]})"), "unknown dtype 7"},
      {info(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "two of dtype"},
      {info("[1]"), "tensor \"a\" must be an object, got [1]"},
      {info("null"), "tensor \"a\" must be an object, got null"},
      {two(good, entry("b", "F32", "[2]", "[0,8]"), 8), "overlaps another"},
      {two(good, entry("b", "F32", "[2]", "[4,12]"), 12), "\"b\" overlaps another"},
      {two(entry("b", "U8", "[12]", "[0,12]"), entry("a", "U8", "[4]", "[4,8]"), 12),
       "\"a\" overlaps another"},
      {two(good, entry("b", "F32", "[0]", "[4,4]"), 8), "overlaps another"},
      {two(good, entry("b", "F32", "[2]", "[16,24]"), 24), "\"b\" has a hole before it"},
      {two(good, entry("b", "F32", "[0]", "[12,12]"), 12), "\"b\" has a hole before it"},
      {two(good, entry("a", "F32", "[2]", "[8,16]"), 16), "two tensors \"a\""},
      {one("F32", "[2,0,4611686018427387904]", "[0,0]"), "shape overflows 64-bit sizes"},
      {two(good, entry("\\u0061", "F32", "[0]", "[0,0]"), 8), "two tensors"},
      {file(R"({"__metadata__":{"a":1}})"), "__metadata__: \"a\" must be a string, got 1"},
      {file(R"({"__metadata__":{"a":{"b":"c"}}})"), "__metadata__: \"a\" must be a string"},
      {file(R"({"__metadata__":[]})"), "__metadata__ must be an object, got []"},
      {file(R"({"__metadata__":{},"__metadat\u0061__":{}})"), "two of __metadata__"},
  };
}

/// The error of parse, or nothing; what can be had is had.
std::optional<std::string> error_of(std::span<const std::byte> bytes) {
  try {
    const Safetensors tensors = Safetensors::parse(bytes);
    for (const char* name : {"a", "bb", "none"})
      if (const auto tensor = tensors.find(name)) {
        const bool inside = tensor->data.data() >= bytes.data() &&
                            tensor->data.data() + tensor->data.size() <= bytes.data() + bytes.size();
        check(inside, "a tensor lies outside of the file");
        volatile unsigned sum = 0;
        for (const std::byte byte : tensor->data) sum = sum + std::to_integer<unsigned>(byte);
      }
    tensors.metadata("weft");
    return {};
  } catch (const weft::BadFile& error) {
    return error.what();
  }
}

void test_hostile() {
  for (const auto& [bytes, message] : hostile_files()) {
    const Exact exact(bytes);
    std::optional<std::string> error;
    const auto used = allocations_of([&] { error = error_of(exact.span()); });
    check(error && error->starts_with("parse: ") && error->find(message) != error->npos,
          "expected \""s + message + "\", got \"" + error.value_or("nothing") + "\"");
    check(error.value_or("").size() < 300, "a long message");
    check(used.bytes <= bytes.size() + 4096, message + ": took "s + std::to_string(used.bytes) + " bytes");
  }
}

/// Refused by their number, before each is looked at twice.
void test_many_tensors() {
  const auto error_of_many = [](int count) {
    std::string header = "{";
    for (int i = 0; i < count; ++i)
      header.append(i ? "," : "").append(entry(std::to_string(i), "U8", "[0]", "[0,0]"));
    return error_of(Exact(file(header + "}")).span());
  };
  check(!error_of_many(1 << 17), "as many tensors as may be");
  check(error_of_many((1 << 17) + 1) == "parse: more than 131072 tensors", "one tensor more");
}

void test_truncated() {
  for (size_t size = 0; size < sample.size(); ++size)
    check(error_of(Exact(sample.substr(0, size)).span()).has_value(), "cut at " + std::to_string(size));
  check(error_of(Exact(sample + '\0').span()).has_value(), "a byte more");
}

void test_every_byte_changed() {
  for (size_t i = 0; i < sample.size(); ++i)
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = sample;
      changed[i] = static_cast<char>(byte);
      const auto error = error_of(Exact(changed).span());
      const bool data = i >= sample.size() - 32;
      if (data) check(!error, "data may be any bytes");
    }
}

/// However its header is filled, reading takes no more than a file's size.
void test_memory() {
  const auto filled = [](const std::function<std::string(int)>& member) {
    std::string header = "{";
    for (int i = 0; i < 20'000; ++i) header.append(i ? "," : "").append(member(i));
    return file(header + "}");
  };
  const auto bounded = [](const std::string& bytes, bool valid, const char* what) {
    const Exact exact(bytes);
    bool read = false;
    const auto used = allocations_of([&] { read = !error_of(exact.span()); });
    check(read == valid, what + " valid: "s + std::to_string(read));
    check(used.bytes <= bytes.size() + 4096, what + " took "s + std::to_string(used.bytes) +
                                                 " bytes for a file of " + std::to_string(bytes.size()));
  };
  bounded(filled([](int i) { return entry(std::to_string(i), "U8", "[0]", "[0,0]"); }), true,
          "small tensors");
  bounded(filled([](int) { return R"("":0)"s; }), false, "small members");
  bounded(filled([](int i) { return "\""s.append(std::to_string(i)).append("\":{}"); }), false,
          "empty entries");
  bounded(file(R"({"__metadata__":)" + filled([](int) { return R"("":"")"s; }).substr(8) + "}"), true,
          "metadata");
  bounded(file("{" + entry("a", "U8", "[0" + std::string(100'000, ' ') + "]", "[0,0]") + "}"), true,
          "spaces");
  std::string sizes = "[0";
  for (int i = 0; i < 100'000; ++i) sizes += ",1";
  bounded(file("{" + entry("a", "U8", sizes + "]", "[0,0]") + "}"), false, "axes");
  bounded(file("{" + entry("a", "U8", "[0]", sizes + "]") + "}"), false, "offsets");
  bounded(file("{" + entry(std::string(100'000, 'n'), "U8", "[1]", "[0,0]") + "}"), false, "a long name");
}

void test_load() {
  std::string folder = std::filesystem::temp_directory_path() / "weft-test-XXXXXX";
  check(mkdtemp(folder.data()) != nullptr, "a temporary folder");
  const std::string path = folder + "/model.safetensors";
  const auto write = [&](const std::string& bytes, off_t size) {
    const int handle = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(handle >= 0 && ::write(handle, bytes.data(), bytes.size()) == ssize_t(bytes.size()) &&
              ftruncate(handle, size) == 0 && close(handle) == 0,
          "a temporary file");
  };
  const auto refused = [](const std::string& path, const std::string& why) {
    check_throws<weft::BadFile>([&] { Safetensors::load(path); }, {"load: " + path + ": " + why});
  };
  refused(path, std::strerror(ENOENT));
  refused(path + "/below", std::strerror(ENOENT));
  refused(folder, "not a regular file");
  refused("/dev/null", "not a regular file");
  refused("", std::strerror(ENOENT));

  write(sample, off_t(sample.size()));
  Safetensors tensors = Safetensors::load(path);
  tensors = Safetensors::load(path);  // what it holds moves with it
  const Safetensors moved = std::move(tensors);
  const auto a = moved.find("a");
  check(a && std::memcmp(a->data.data(), "abcdefghijklmnopqrstuvwx", 24) == 0, "a, from a file");
  check(moved.metadata("weft") == R"({"format":1})", "metadata, from a file");
  refused(path + "/below", std::strerror(ENOTDIR));

  write("", 0);
  refused(path, "too short for a safetensors file");
  write(sample, off_t(sample.size()) - 1);
  refused(path, "tensor \"a\": data_offsets");

  // A sparse file of 16 MB whose header claims 64 TB, then 8 MB: what is held is the file and no more.
  for (const uint64_t claim : {uint64_t{1} << 46, uint64_t{1} << 23}) {
    write(length(claim) + "{", off_t{1} << 24);
    const auto used = allocations_of([&] { refused(path, ""); });
    check(used.bytes <= 2 * (size_t{1} << 24), "took " + std::to_string(used.bytes) + " bytes");
  }
  // A sparse file of 64 GB whose header knows of none: it is not read to find that out.
  write(length(2) + "{}", off_t{1} << 36);
  const auto used = allocations_of([&] { refused(path, "68719476726 bytes of data belong to no tensor"); });
  check(used.bytes < 4096, "took " + std::to_string(used.bytes) + " bytes");
  unlink(path.c_str());
  check(mkfifo(path.c_str(), 0600) == 0, "a pipe");
  refused(path, "not a regular file");  // and it does not wait for a writer
  unlink(path.c_str());
  rmdir(folder.c_str());
}

}  // namespace

int main() {
  test_reads();
  test_every_dtype();
  test_hostile();
  test_many_tensors();
  test_truncated();
  test_every_byte_changed();
  test_memory();
  test_load();
  return failures();
}
