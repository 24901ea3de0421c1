#include "src/files/safetensors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace weft {
namespace {

constexpr size_t largest_header = 100'000'000;  // as the format's own reader has it
constexpr size_t most_tensors = 1 << 17;        // a header of nothing but empty ones would hold millions
constexpr size_t most_axes = 8;

struct Dtype {
  std::string_view name;
  int64_t size;
};
constexpr Dtype dtypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2},
                            {"F16", 2},  {"U32", 4}, {"I32", 4}, {"F32", 4}, {"U64", 8},
                            {"I64", 8},  {"F64", 8}, {"C64", 8}};

[[noreturn]] void refuse(const std::string& message) { throw BadFile({}, {}, message); }

const Dtype& dtype_of(const std::string& tensor, Json name) {
  for (const Dtype& dtype : dtypes)
    if (name.is_string(dtype.name)) return dtype;
  refuse(tensor + ": unknown dtype " + name.excerpt());
}

int64_t size_of(const std::string& what, Json number) {
  const int64_t size = number.integer(what);
  if (number.text()[0] == '-') refuse(what + " must not be negative, got " + number.excerpt());
  return size;
}

std::vector<int64_t> shape_of(const std::string& tensor, Json sizes) {
  std::vector<int64_t> shape;
  sizes.each_item(tensor + ": shape", [&](Json size) {
    if (shape.size() == most_axes) refuse(tensor + ": more than 8 axes");
    shape.push_back(size_of(tensor + ": a size of shape", size));
  });
  return shape;
}

/// dtype, shape and data_offsets of an entry, each there once. Other members mean nothing to the format.
std::array<Json, 3> fields_of(const std::string& tensor, Json info) {
  constexpr std::string_view names[] = {"dtype", "shape", "data_offsets"};
  std::array<std::optional<Json>, 3> found;
  info.each_member(tensor, [&](Json key, Json value) {
    for (size_t i = 0; i < 3; ++i) {
      if (!key.is_string(names[i])) continue;
      if (found[i]) refuse(tensor + ": two of " + std::string(names[i]));
      found[i] = value;
    }
  });
  for (size_t i = 0; i < 3; ++i)
    if (!found[i]) refuse(tensor + ": no " + std::string(names[i]));
  return {*found[0], *found[1], *found[2]};
}

/// Of the header, which the first 8 bytes of a file of so many say.
size_t header_size(std::span<const std::byte> first, size_t file_size) {
  if (file_size < 8) refuse("too short for a safetensors file: " + std::to_string(file_size) + " bytes");
  uint64_t size = 0;
  for (int i = 7; i >= 0; --i) size = size << 8 | std::to_integer<uint64_t>(first[size_t(i)]);
  if (size > largest_header || size > file_size - 8)
    refuse("not a safetensors file, or cut short: its header would be " + std::to_string(size) + " bytes");
  return size_t(size);
}

class File {
 public:
  // A pipe would wait for a writer, were it not for O_NONBLOCK; to a regular file that means nothing.
  explicit File(const std::string& path)
      : handle_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (handle_ < 0) refuse_error();
  }
  ~File() {
    if (handle_ >= 0) close(handle_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  size_t size() const {
    struct stat status;
    if (fstat(handle_, &status) != 0) refuse_error();
    if (!S_ISREG(status.st_mode)) refuse("not a regular file");
    return static_cast<size_t>(status.st_size);
  }
  std::unique_ptr<std::byte[]> read(size_t size) const {
    std::unique_ptr<std::byte[]> memory(new (std::nothrow) std::byte[size]);
    if (!memory) refuse("no memory for its " + std::to_string(size) + " bytes");
    read_all({memory.get(), size});
    return memory;
  }
  void read_all(std::span<std::byte> bytes) const {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t count = ::read(handle_, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno != EINTR) refuse_error();
      if (count == 0) refuse("the file was cut short while it was read");
      if (count > 0) done += static_cast<size_t>(count);
    }
  }

 private:
  [[noreturn]] static void refuse_error() { refuse(std::generic_category().message(errno)); }

  int handle_;
};

}  // namespace

// Read, not mapped: another process that cuts a mapped file short kills whoever looks at it.
Safetensors Safetensors::load(const std::string& path) {
  try {
    const File file(path);
    const size_t size = file.size();
    std::array<std::byte, 8> first{};
    file.read_all(std::span(first).first(std::min(size, first.size())));
    const size_t header = header_size(first, size), data = size - 8 - header;
    Safetensors result;
    result.path_ = path;
    result.owned_header_ = file.read(header);
    result.read_header({result.owned_header_.get(), header}, data);
    result.owned_data_ = file.read(data);
    result.data_ = {result.owned_data_.get(), data};
    return result;
  } catch (const BadFile& error) {
    throw BadFile("load: " + path + ": ", path, error.reason());
  }
}

Safetensors Safetensors::parse(std::span<const std::byte> file) {
  try {
    const size_t header = header_size(file, file.size());
    Safetensors result;
    result.data_ = file.subspan(8 + header);
    result.read_header(file.subspan(8, header), result.data_.size());
    return result;
  } catch (const BadFile& error) {
    throw BadFile("parse: ", {}, error.reason());
  }
}

void Safetensors::read_header(std::span<const std::byte> header, size_t data_size) {
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  // What an entry takes in text is more than what it takes here, so that memory stays bounded by the file's
  // size.
  constexpr std::string_view shortest = R"("":{"dtype":"U8","shape":[],"data_offsets":[0,1]})";
  static_assert(sizeof(Entry) <= shortest.size());
  entries_.reserve(std::min(text.size() / shortest.size(), most_tensors));
  if (!text.starts_with('{')) refuse("not a safetensors file: its header does not begin with {");
  Json::parse(text, "header").each_member("header", [&](Json name, Json value) {
    if (!name.is_string("__metadata__")) {
      if (entries_.size() == most_tensors) refuse("more than " + std::to_string(most_tensors) + " tensors");
      return entries_.push_back(read_entry(name, value, data_size));
    }
    if (metadata_) refuse("two of __metadata__");
    metadata_ = value;
    value.each_member("__metadata__", [](Json key, Json text) {
      if (text.kind() != Json::Kind::string)
        refuse("__metadata__: " + key.excerpt() + " must be a string, got " + text.excerpt());
    });
  });
  check_layout(data_size);
}

Safetensors::Entry Safetensors::read_entry(Json name, Json info, size_t data_size) {
  const std::string tensor = "tensor " + name.excerpt();
  const auto [dtype, sizes, offsets] = fields_of(tensor, info);
  int64_t bytes = dtype_of(tensor, dtype).size;
  bool is_empty = false;
  for (const int64_t size : shape_of(tensor, sizes)) {
    is_empty = is_empty || size == 0;
    if (size > 0 && __builtin_mul_overflow(bytes, size, &bytes))
      refuse(tensor + ": shape overflows 64-bit sizes");
  }
  if (is_empty) bytes = 0;

  std::vector<int64_t> range;
  offsets.each_item(tensor + ": data_offsets", [&](Json offset) {
    if (range.size() < 3) range.push_back(size_of(tensor + ": an offset of data_offsets", offset));
  });
  if (range.size() != 2 || range[0] > range[1])
    refuse(tensor + ": data_offsets must be [begin, end], got " + offsets.excerpt());
  if (static_cast<uint64_t>(range[1]) > data_size)
    refuse(tensor + ": data_offsets " + offsets.excerpt() + " lie beyond the file, which has " +
           std::to_string(data_size) + " bytes of data");
  if (range[1] - range[0] != bytes)
    refuse(tensor + ": dtype and shape make " + std::to_string(bytes) + " bytes, data_offsets " +
           std::to_string(range[1] - range[0]));
  return {name, info, static_cast<size_t>(range[0]), static_cast<size_t>(range[1])};
}

void Safetensors::check_layout(size_t data_size) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  size_t end = 0;
  for (const Entry& entry : entries_) {
    if (entry.begin != end)
      refuse("tensor " + entry.name.excerpt() +
             (entry.begin < end ? " overlaps another" : " has a hole before it"));
    end = entry.end;
  }
  if (end != data_size) refuse(std::to_string(data_size - end) + " bytes of data belong to no tensor");

  const auto by_name = [](const Entry& a, const Entry& b) { return a.name.compare(b.name) < 0; };
  std::sort(entries_.begin(), entries_.end(), by_name);
  for (size_t i = 1; i < entries_.size(); ++i)
    if (!by_name(entries_[i - 1], entries_[i])) refuse("two tensors " + entries_[i].name.excerpt());
}

std::optional<Tensor> Safetensors::find(std::string_view name) const {
  const auto entry =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const Entry& a, std::string_view name) { return a.name.compare(name) < 0; });
  if (entry == entries_.end() || !entry->name.is_string(name)) return {};
  const auto [dtype, sizes, offsets] = fields_of({}, entry->info);
  return Tensor{dtype_of({}, dtype).name, shape_of({}, sizes),
                data_.subspan(entry->begin, entry->end - entry->begin)};
}

std::optional<std::string> Safetensors::metadata(std::string_view key) const {
  const auto value = metadata_ ? metadata_->find(key) : std::nullopt;
  return value ? std::optional(value->string(key)) : std::nullopt;
}

}  // namespace weft
