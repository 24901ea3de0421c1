#include "memory.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace weft::bindings {
namespace {

constexpr size_t huge_page = size_t(2) << 20;

class Cache {
 public:
  void* acquire(size_t bytes) {
    // Sizes in steps of at most an eighth, so that batches of similar shape share pieces.
    size_t step = 64;
    while (step * 16 < bytes) step *= 2;
    bytes = std::max<size_t>(64, (bytes + step - 1) / step * step);
    {
      const std::lock_guard lock(mutex_);
      const auto found = free_.lower_bound(bytes);
      if (found != free_.end() && found->first <= bytes + bytes / 4) {
        void* memory = found->second.memory;
        free_bytes_ -= found->first;
        in_use(memory, found->first);
        free_.erase(found);
        return memory;
      }
    }
    const bool large = bytes >= 2 * huge_page;
    if (large) bytes = (bytes + huge_page - 1) / huge_page * huge_page;
    void* memory = std::aligned_alloc(large ? huge_page : 64, bytes);
    if (memory == nullptr) {
      release_unused();
      memory = std::aligned_alloc(large ? huge_page : 64, bytes);
      if (memory == nullptr) throw std::bad_alloc();
    }
#ifdef MADV_HUGEPAGE
    if (large) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    const std::lock_guard lock(mutex_);
    in_use(memory, bytes);
    return memory;
  }

  void recycle(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(memory);
    const size_t bytes = found->second;
    used_.erase(found);
    used_bytes_ -= bytes;
    free_.emplace(bytes, Piece{memory, ++released_});
    free_bytes_ += bytes;
    // Half more than was ever in use: for pieces of two phases of a step that are never in use together.
    const size_t most_kept = most_used_ + most_used_ / 2 + (size_t(1) << 20);
    while (used_bytes_ + free_bytes_ > most_kept && !free_.empty()) {
      const auto oldest = std::min_element(free_.begin(), free_.end(), [](const auto& a, const auto& b) {
        return a.second.released < b.second.released;
      });
      free_bytes_ -= oldest->first;
      std::free(oldest->second.memory);
      free_.erase(oldest);
    }
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  size_t release_unused() {
    const std::lock_guard lock(mutex_);
    const size_t bytes = free_bytes_;
    for (const auto& [size, piece] : free_) std::free(piece.memory);
    free_.clear();
    free_bytes_ = 0;
    most_used_ = used_bytes_;
    return bytes;
  }

 private:
  void in_use(void* memory, size_t bytes) {
    used_.emplace(memory, bytes);
    used_bytes_ += bytes;
    most_used_ = std::max(most_used_, used_bytes_);
  }

  struct Piece {
    void* memory;
    uint64_t released;  // the larger, the later
  };

  std::mutex mutex_;
  std::multimap<size_t, Piece> free_;
  std::map<void*, size_t> used_;
  uint64_t released_ = 0;
  size_t free_bytes_ = 0, used_bytes_ = 0, most_used_ = 0;
};

/// Held across a fork, so that the child finds the cache whole and unlocked.
Cache& cache() {
  static Cache* const instance = [] {
    auto* const made = new Cache;  // never destroyed: pieces outlive static objects
    pthread_atfork([] { cache().lock(); }, [] { cache().unlock(); }, [] { cache().unlock(); });
    return made;
  }();
  return *instance;
}
[[maybe_unused]] const Cache& made_at_load = cache();  // a fork finds it whole

}  // namespace

void Recycle::operator()(void* memory) const { cache().recycle(memory); }
Memory acquire(size_t bytes) { return Memory(cache().acquire(bytes)); }
size_t release_unused() { return cache().release_unused(); }

}  // namespace weft::bindings
