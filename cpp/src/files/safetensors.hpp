// Reads .safetensors files as if they were hostile: whatever their bytes, they give tensors that lie within
// the file, or an error.
//
//   8 bytes   the header's length, little endian
//   header    JSON: name -> dtype, shape, data_offsets; "__metadata__": str -> str
//   the rest  the tensors' bytes, in any order, nothing between or behind them
//
// Refused too, as by Python's reader: types that NumPy lacks, a name that comes twice, more than 131,072
// tensors. And what none of our files has: more than 8 axes. Nothing but the header is read before it is
// checked. Memory: the file's bytes and an index into the header, at most twice the file's size.
// https://github.com/huggingface/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/files/json.hpp"

namespace weft {

struct Tensor {
  std::string_view dtype;           ///< as the format spells it: F32, F64, I64, ...; valid for ever
  std::vector<int64_t> shape;       ///< at most 8 axes
  std::span<const std::byte> data;  ///< of any alignment; valid as long as the file's bytes
};

class Safetensors {
 public:
  /// Reads the whole file, which must be a regular one. Throws BadFile: "load: model.safetensors: ...".
  static Safetensors load(const std::string& path);
  /// A copy of nothing: `file` must outlive it. Throws likewise: "parse: ...".
  static Safetensors parse(std::span<const std::byte> file);

  std::optional<Tensor> find(std::string_view name) const;
  std::optional<std::string> metadata(std::string_view key) const;
  const std::string& path() const { return path_; }  ///< or empty
  size_t size() const { return entries_.size(); }    ///< tensors
  /// Of the tensor `index` of them, in the order of their names.
  std::string name(size_t index) const { return entries_[index].name.string("name"); }

 private:
  struct Entry {
    Json name, info;
    size_t begin, end;  // of its bytes, in data_
  };

  Safetensors() = default;
  void read_header(std::span<const std::byte> header, size_t data_size);
  static Entry read_entry(Json name, Json info, size_t data_size);
  void check_layout(size_t data_size);

  std::string path_;
  std::unique_ptr<std::byte[]> owned_header_, owned_data_;  // what load has read; the rest points into it
  std::span<const std::byte> data_;
  std::optional<Json> metadata_;
  std::vector<Entry> entries_;  // sorted by name
};

}  // namespace weft
