// Long calls that end early: the caller's thread asks, its helpers see the answer.
#include "src/runtime/interruptible.hpp"

#include <chrono>
#include <new>

#include "kernels/threads/thread_team.hpp"

namespace weft {
namespace {

constexpr int64_t interval = 100'000'000;  // asking may take Python's lock

}  // namespace

thread_local CurrentCall current_call;

int64_t monotonic_now() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

Interruptible::Interruptible(bool (*stop)()) noexcept : outer_(current_call.state) {
  static_assert(sizeof(State) <= sizeof memory_ && alignof(State) <= 8);
  state_ = new (memory_) State{stop, 0, {}};
  current_call = {state_, true};
}
Interruptible::~Interruptible() { current_call = {outer_, outer_ != nullptr}; }

bool Interruptible::interrupted() const noexcept { return state_->stopped.load(std::memory_order_relaxed); }

bool interrupted() noexcept {
  const CurrentCall call = current_call;
  if (call.state == nullptr) return false;
  if (call.state->stopped.load(std::memory_order_relaxed)) return true;
  if (!call.asks) return false;
  const int64_t now = monotonic_now();
  if (call.state->next == 0) call.state->next = now + interval;
  if (now < call.state->next) return false;
  call.state->next = now + interval;
  if (!call.state->stop()) return false;
  call.state->stopped.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace weft
