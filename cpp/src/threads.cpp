// How many threads a call may use.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cost.hpp"
#include "weft/config.hpp"

namespace weft {
namespace {

std::atomic<int> chosen{0};
std::atomic<bool> forked{false};

int from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::max(0, std::atoi(text));
}

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// The team of an OpenMP runtime stays behind in the parent: a child that enters a region waits for it for
// ever.
const int fork_handler = pthread_atfork(nullptr, nullptr, [] { forked.store(true); });

}  // namespace

int num_threads() {
  if (fork_handler != 0 || forked.load(std::memory_order_relaxed)) return 1;
  int threads = chosen.load(std::memory_order_relaxed);
  if (threads == 0) {
    threads = from_environment("WEFT_NUM_THREADS");
    if (threads == 0) threads = from_environment("OMP_NUM_THREADS");
    if (threads == 0) threads = processors();
    chosen.store(threads, std::memory_order_relaxed);
  }
  return threads;
}

int most_threads(int asked) {
  constexpr int most = 1024;  // what is counted by them stays in bounds
  if (asked <= 0 || fork_handler != 0 || forked.load(std::memory_order_relaxed)) return num_threads();
  return std::min(asked, most);
}

void set_num_threads(int threads) {
  if (threads < 1)
    throw std::invalid_argument("set_num_threads: threads must be at least 1, got " +
                                std::to_string(threads));
  chosen.store(threads, std::memory_order_relaxed);
}

}  // namespace weft
