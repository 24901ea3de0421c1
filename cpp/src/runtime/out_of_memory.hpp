// More memory than a call may take: a std::bad_alloc that says for what.
#pragma once

#include <new>
#include <stdexcept>
#include <string>

namespace weft {

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(const std::string& message) : message_(message) {}
  const char* what() const noexcept override { return message_.what(); }

 private:
  std::runtime_error message_;  // whose copies cannot fail, as those of a string could
};

}  // namespace weft
