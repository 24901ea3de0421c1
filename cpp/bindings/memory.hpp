// Workspaces, saved states and results that are used again instead of being allocated for every call: the
// operating system zeroes each fresh page, which for a training step of some megabytes costs as much as its
// arithmetic.
#pragma once

#include <cstddef>
#include <memory>

namespace weft::bindings {

/// Gives the piece back to the cache.
struct Recycle {
  void operator()(void* memory) const;
};
using Memory = std::unique_ptr<void, Recycle>;

/// At least `bytes`, aligned to 64, contents undefined; throws std::bad_alloc. Any thread may call it.
/// Released pieces are kept: all in all half more bytes than have been in use at once, and a megabyte.
Memory acquire(size_t bytes);

/// That much as the workspace of a call.
template <class Call>
Memory bring_workspace(Call& call, size_t bytes) {
  Memory memory = acquire(bytes);
  call.workspace = memory.get(), call.workspace_bytes = bytes;
  return memory;
}

/// Frees every piece that is not in use; returns the bytes freed.
size_t release_unused();

}  // namespace weft::bindings
