// Memory as a caller of the C++ interface brings it.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>

namespace weft::test {

/// Aligned memory full of NaNs: what is read before it is written shows.
class Memory {
 public:
  explicit Memory(size_t bytes)
      : bytes_(static_cast<char*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64))) {
    std::memset(bytes_.get(), 0xFF, bytes);
  }
  void* get() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char[], Free> bytes_;
};

/// That much as the workspace of a call.
template <class Call>
Memory bring_workspace(Call& call, size_t bytes) {
  Memory memory(bytes);
  call.workspace = memory.get(), call.workspace_bytes = bytes;
  return memory;
}

}  // namespace weft::test
