// The threads that help a call: they take shares of its work, and are never waited for in vain.
//
// A call opens a region: a number of shares. It takes the first one itself, helpers take others as they come,
// and when the call has none left to take it waits for those under way. So a helper that gets no processor
// costs what it would have saved, and no more; one that loses its processor within a share costs a time
// slice. Both are noticed: a thread that lost more by sharing than it gained works alone for ten times as
// long as it lost, then tries again. Which thread takes which share changes from run to run, so no result may
// depend on it.
//
// Idle helpers look for work for some microseconds, then sleep until a region opens.
#include "kernels/threads/thread_team.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "src/runtime/cost.hpp"
#include "src/runtime/interruptible.hpp"

namespace weft {
namespace {

constexpr int64_t microsecond = 1'000;
/// How long an idle helper looks for work: longer than a caller's way from one region to the next.
constexpr int64_t idle_spin = 40 * microsecond;
/// What a thread may have gained, or lost, by sharing before it counts no further.
constexpr int64_t most_gain = 200 * microsecond, most_loss = 50 * microsecond;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How a thread waits for another that is at work: it spins, and after a while gives its processor away,
/// since the other may need it.
class SpinWait {
 public:
  void operator()() { ++spins_ <= 1000 ? relax() : void(sched_yield()); }

 private:
  int spins_ = 0;  // tens of microseconds
};

/// The shares of a region that nobody has taken, in one word: which opening of the region they belong to, how
/// many there are, and the next one.
struct Claims {
  uint32_t opening;
  uint16_t shares, next;

  static Claims of(uint64_t word) { return {uint32_t(word >> 32), uint16_t(word >> 16), uint16_t(word)}; }
  uint64_t word() const { return uint64_t(opening) << 32 | uint64_t(shares) << 16 | next; }
};

class alignas(64) Region {
 public:
  bool reserve() {
    return !reserved_.load(std::memory_order_relaxed) && !reserved_.exchange(true, std::memory_order_acquire);
  }
  void release() { reserved_.store(false, std::memory_order_release); }

  /// The caller's: opens it, with the first share taken.
  void open(int shares, ShareBody body, const void* work) {
    body_ = body;
    work_ = work;
    call_ = {current_call.state, false};
    ended_.store(0, std::memory_order_relaxed);
    Claims claims = Claims::of(claims_.load(std::memory_order_relaxed));
    claims = {claims.opening + 1, uint16_t(shares), 1};
    claims_.store(claims.word(), std::memory_order_seq_cst);  // before the caller looks for sleepers
  }

  /// Takes a share, if there is one: its number, or -1. The region stays open until that share has ended.
  int take() {
    uint64_t word = claims_.load(std::memory_order_acquire);
    for (;;) {
      const Claims claims = Claims::of(word);
      if (claims.next >= claims.shares) return -1;
      if (claims_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        return claims.next;
    }
  }
  bool is_open() const {
    const Claims claims = Claims::of(claims_.load(std::memory_order_seq_cst));
    return claims.next < claims.shares;
  }

  /// A helper's: runs a share that it has taken.
  void run(int share) {
    current_call = call_;
    body_(work_, share, Claims::of(claims_.load(std::memory_order_relaxed)).shares);
    current_call = {};
    ended_.fetch_add(1, std::memory_order_release);  // the last that it may touch
  }
  /// How many shares helpers have ended.
  int ended() const { return ended_.load(std::memory_order_acquire); }

  /// In a child after fork(), where no thread is inside.
  void clear() {
    claims_.store(0, std::memory_order_relaxed);
    reserved_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> claims_{0};
  ShareBody body_ = nullptr;
  const void* work_ = nullptr;
  CurrentCall call_;
  std::atomic<bool> reserved_{false};
  alignas(64) std::atomic<int> ended_{0};  // on a line of its own: helpers write it while the caller works
};

class Team {
 public:
  void run(int shares, ShareBody body, const void* work);

 private:
  static constexpr int most_regions = 16;  // open at once; further callers work alone

  /// A region of the caller's own; that of its last call, if it is free, is still in its cache.
  Region* reserve() {
    thread_local int last = 0;
    for (int i = 0; i < most_regions; ++i)
      if (const int n = (last + i) % most_regions; regions_[n].reserve()) return &regions_[last = n];
    return nullptr;
  }

  bool help() {
    for (Region& region : regions_)
      if (const int share = region.take(); share >= 0) {
        region.run(share);
        return true;
      }
    return false;
  }
  bool any_open() const {
    return std::any_of(std::begin(regions_), std::end(regions_), [](const Region& r) { return r.is_open(); });
  }

  void helper() {
    for (;;) {
      const int64_t start = monotonic_now();
      bool helped = false;
      for (int i = 1; !(helped = help()); ++i) {
        relax();
        if (i % 16 == 0 && monotonic_now() - start > idle_spin) break;
      }
      if (helped) continue;
      const uint32_t seen = openings_.load(std::memory_order_acquire);
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      if (!any_open()) openings_.wait(seen, std::memory_order_acquire);  // else it has opened since
      sleepers_.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  /// Wakes as many sleepers as there are shares for them.
  void wake(int count) {
    const int sleepers = sleepers_.load(std::memory_order_seq_cst);
    if (sleepers == 0) return;
    openings_.fetch_add(1, std::memory_order_release);
    if (count >= sleepers) return openings_.notify_all();
    for (int i = 0; i < count; ++i) openings_.notify_one();
  }

  /// Starts helpers up to `count`, or as many as the system gives; whether there was one to start.
  bool grow(int count);
  static void* start(void* team) {
    static_cast<Team*>(team)->helper();
    return nullptr;
  }

  // A child after fork() has this thread alone: it starts with no helpers. The lock is held across the fork
  // so that the child's is free.
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();
  const int fork_handlers_ = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

  Region regions_[most_regions];
  alignas(64) std::atomic<uint32_t> openings_{0};  // what sleepers wait for
  std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<int> helpers_{0};
  /// More than there are processors never help; three let tests see every order of events on any machine.
  const int most_helpers_ = std::max(processors() - 1, 3);
  std::atomic<bool> refused_{false};  // the system gave fewer than asked
  std::mutex growing_;
};

Team& team() {
  static Team* const instance = new Team;  // never destroyed: helpers use it until the process ends
  return *instance;
}

/// Made before any thread asks: a fork while one makes it would leave the child with a half of it.
[[maybe_unused]] const Team& made_at_load = team();

void Team::before_fork() { team().growing_.lock(); }
void Team::after_fork_in_parent() { team().growing_.unlock(); }
void Team::after_fork_in_child() {
  Team& t = team();
  for (Region& region : t.regions_) region.clear();
  t.sleepers_.store(0, std::memory_order_relaxed);
  t.helpers_.store(0, std::memory_order_relaxed);
  t.growing_.unlock();
}

bool Team::grow(int count) {
  count = std::min(count, most_helpers_);
  if (helpers_.load(std::memory_order_relaxed) >= count || refused_) return false;
  const std::lock_guard lock(growing_);
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  while (!refused_ && helpers_.load(std::memory_order_relaxed) < count) {
    pthread_t thread;
    refused_ = pthread_create(&thread, &attributes, &Team::start, this) != 0;
    if (!refused_) helpers_.fetch_add(1, std::memory_order_relaxed);
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

/// What this thread has gained by sharing, less what it lost, in nanoseconds; and until when it works alone.
struct Balance {
  int64_t gained = 0, alone_until = 0;

  bool is_alone(int64_t now) const { return now < alone_until; }

  /// `opening`: the time to open the region; `working`: that of the caller's `own` shares of `shares`;
  /// `waiting`: that in which it waited for others.
  void add(int64_t now, int64_t opening, int64_t working, int64_t waiting, int own, int shares) {
    gained = std::min(gained + working * (shares - own) / own - opening - waiting, most_gain);
    if (gained >= -most_loss) return;
    alone_until = now - 10 * gained;
    gained = 0;
  }
};
thread_local Balance balance;
/// What this thread has waited within shares.
thread_local int64_t waited = 0;

void Team::run(int shares, ShareBody body, const void* work) {
  int64_t start = monotonic_now();
  Region* const region = balance.is_alone(start) ? nullptr : reserve();
  if (region == nullptr) {
    for (int share = 0; share < shares; ++share) body(work, share, shares);
    return;
  }
  if (grow(shares - 1)) start = monotonic_now();
  region->open(shares, body, work);
  wake(shares - 1);
  const int64_t opened = monotonic_now();
  int own = 0;
  waited = 0;
  for (int share = 0; share >= 0; share = region->take(), ++own) body(work, share, shares);
  const int64_t done = monotonic_now();
  int64_t end = done;
  if (region->ended() < shares - own) {
    for (SpinWait wait; region->ended() < shares - own;) wait();
    end = monotonic_now();
  }
  region->release();
  balance.add(end, opened - start, done - opened - waited, end - done + waited, own, shares);
}

}  // namespace

void run_shares(int shares, ShareBody body, const void* work) noexcept { team().run(shares, body, work); }

void wait_until(const int* word, int value) noexcept {
  const auto is_there = [&] { return __atomic_load_n(word, __ATOMIC_ACQUIRE) == value; };
  if (is_there()) return;
  const int64_t start = monotonic_now();
  for (SpinWait wait; !is_there();) wait();
  waited += monotonic_now() - start;
}

int worthwhile_shares(int threads) noexcept {
  return threads <= 1 || balance.is_alone(monotonic_now()) ? 1 : threads;
}

}  // namespace weft
