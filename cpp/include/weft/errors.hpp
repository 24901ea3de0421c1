// The exceptions that weft throws, besides std::bad_alloc when memory runs out.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

#include "weft/export.h"

namespace weft {

/// An argument that does not fit: `lstm_forward: w_hh must be (4H, H) = (512, 128), got (512, 64)`.
class WEFT_API BadArgument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A file that cannot be read, is broken or is not a model.
class WEFT_API BadFile : public std::runtime_error {
 public:
  /// what() is `before`, then the reason.
  BadFile(const std::string& before, const std::string& path, const std::string& reason)
      : std::runtime_error(before + reason), path_(path), reason_at_(before.size()) {}

  const char* path() const noexcept { return path_.what(); }  ///< as given, or "" for a file in memory
  const char* reason() const noexcept { return what() + reason_at_; }

 private:
  std::runtime_error path_;  // whose copies cannot fail, as those of a string could
  std::size_t reason_at_;
};

}  // namespace weft
