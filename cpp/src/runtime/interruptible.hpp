// What the threads of an interruptible call share.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/interruptible.hpp"

namespace weft {

struct Interruptible::State {
  bool (*stop)();
  int64_t next;  ///< when the caller's thread asks again, of monotonic_now(); 0 before the first time
  std::atomic<bool> stopped{false};
};

/// That of the call which this thread makes or helps with, or null; `asks`: it is this thread's own.
struct CurrentCall {
  Interruptible::State* state = nullptr;
  bool asks = false;
};
extern thread_local CurrentCall current_call;

int64_t monotonic_now() noexcept;

}  // namespace weft
