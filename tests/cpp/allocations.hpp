// Counts what a program takes by `new`. It replaces the operators: include it in one file of a program.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace weft::test {

inline size_t allocation_count = 0, bytes_held = 0, most_bytes_held = 0;

/// Of one action: how many allocations, and the most bytes that it held at a time.
struct Allocations {
  size_t count, bytes;
};
template <class Action>
Allocations allocations_of(const Action& action) {
  const size_t count = allocation_count, held = bytes_held;
  most_bytes_held = bytes_held;
  action();
  return {allocation_count - count, most_bytes_held - held};
}

// Not inlined: the compiler would see `new` end in free and warn.
[[gnu::noinline]] inline void* take_memory(size_t size, size_t alignment = 0) noexcept {
  const size_t rounded = alignment ? (size + alignment - 1) / alignment * alignment : size;
  void* const memory = alignment ? std::aligned_alloc(alignment, rounded) : std::malloc(size ? size : 1);
  if (!memory) return nullptr;
  ++allocation_count;
  bytes_held += malloc_usable_size(memory);
  most_bytes_held = std::max(most_bytes_held, bytes_held);
  return memory;
}
[[gnu::noinline]] inline void give_back(void* memory) noexcept {
  if (memory) bytes_held -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace weft::test

void* operator new(size_t size, const std::nothrow_t&) noexcept { return weft::test::take_memory(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return weft::test::take_memory(size); }
void* operator new(size_t size) {
  void* const memory = weft::test::take_memory(size);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  void* const memory = weft::test::take_memory(size, size_t(alignment));
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new[](size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* memory, std::align_val_t) noexcept { weft::test::give_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { weft::test::give_back(memory); }
void operator delete(void* memory) noexcept { weft::test::give_back(memory); }
void operator delete[](void* memory) noexcept { weft::test::give_back(memory); }
void operator delete(void* memory, size_t) noexcept { weft::test::give_back(memory); }
void operator delete[](void* memory, size_t) noexcept { weft::test::give_back(memory); }
