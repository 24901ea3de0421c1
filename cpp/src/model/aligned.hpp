// Memory aligned as the kernels want it.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

namespace weft {

struct FreeAligned {
  void operator()(void* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};
template <class T>
using AlignedArray = std::unique_ptr<T[], FreeAligned>;

/// Contents undefined; throws std::bad_alloc.
template <class T>
AlignedArray<T> aligned_array(int64_t size) {
  if (size < 0 || uint64_t(size) > PTRDIFF_MAX / sizeof(T)) throw std::bad_alloc();
  return AlignedArray<T>(static_cast<T*>(::operator new[](size_t(size) * sizeof(T), std::align_val_t(64))));
}

/// Rounded up to whole cache lines, in elements.
template <class T>
constexpr int64_t whole_lines(int64_t size) {
  constexpr int64_t line = 64 / sizeof(T);
  return (size + line - 1) / line * line;
}

}  // namespace weft
