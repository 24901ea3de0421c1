// How many threads a call may use.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "src/runtime/cost.hpp"
#include "src/runtime/cpu_quota.hpp"
#include "weft/config.hpp"
#include "weft/errors.hpp"

namespace weft {
namespace {

std::atomic<int> chosen{0};

constexpr int most = 1024;  // what is counted by them stays in bounds

/// The number in that variable, at most 1024; 0 where it is unset, or no positive number.
int from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : int(std::clamp(std::strtol(text, nullptr, 10), 0L, long(most)));
}

int default_threads() {
  for (const char* name : {"WEFT_NUM_THREADS", "OMP_NUM_THREADS"})
    if (const int threads = from_environment(name); threads > 0) return threads;
  return std::min({processors(), processors_of_quota(), most});
}

}  // namespace

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

int num_threads() {
  int threads = chosen.load(std::memory_order_relaxed);
  if (threads == 0) {
    threads = default_threads();
    chosen.store(threads, std::memory_order_relaxed);
  }
  return threads;
}

int most_threads(int asked) { return asked <= 0 ? num_threads() : std::min(asked, most); }

void set_num_threads(int threads) {
  if (threads < 1)
    throw BadArgument("set_num_threads: threads must be at least 1, got " + std::to_string(threads));
  chosen.store(std::min(threads, most), std::memory_order_relaxed);
}

}  // namespace weft
