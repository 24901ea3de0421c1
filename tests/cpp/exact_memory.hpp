// Memory of exactly the size that was asked for: under AddressSanitizer one element beyond it is an error.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace weft::test {

/// Aligned to 64 bytes and full of NaNs: what is read before it is written shows.
template <class T>
class Exact {
 public:
  explicit Exact(int64_t size) : size_(size) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, size_t(size) * sizeof(T)) != 0) std::abort();
    std::memset(memory, 0xFF, size_t(size) * sizeof(T));
    data_.reset(static_cast<T*>(memory));
  }
  explicit Exact(const std::vector<T>& values) : Exact(int64_t(values.size())) {
    if (size_ > 0) std::memcpy(get(), values.data(), values.size() * sizeof(T));
  }
  void clear() { std::memset(get(), 0, size_t(size_) * sizeof(T)); }
  T* get() const { return data_.get(); }
  std::vector<T> first(int64_t n) const { return {get(), get() + n}; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  int64_t size_;
  std::unique_ptr<T, Free> data_;
};

}  // namespace weft::test
