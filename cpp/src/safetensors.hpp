// Reads .safetensors files as if they were hostile: whatever their bytes, they give tensors that lie within
// the file, or an error.
//
//   8 bytes: the header's length, little endian; the header: JSON, name -> dtype, shape, data_offsets, and
//   "__metadata__": str -> str; then the tensors' bytes, in some order, nothing between or behind them.
//
// Memory: the file's bytes and an index into the header, never more than twice the file's size.
// https://github.com/huggingface/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct Tensor {
  std::string_view dtype;           ///< as the file spells it: F32, F64, I64, ...
  std::vector<int64_t> shape;       ///< at most 8 axes
  std::span<const std::byte> data;  ///< of any alignment
};

class Safetensors {
 public:
  /// Throws std::runtime_error that names the path and what is wrong.
  static Safetensors load(const std::string& path);
  /// A copy of nothing: `file` must outlive it.
  static Safetensors parse(std::span<const std::byte> file);

  std::optional<Tensor> find(std::string_view name) const;
  std::optional<std::string> metadata(std::string_view key) const;
  size_t size() const;  ///< tensors

 private:
  struct Entry;
  std::vector<std::byte> owned_;
  std::span<const std::byte> data_;
  std::vector<Entry> entries_;  ///< sorted by name
  std::string_view header_;
};

}  // namespace weft
