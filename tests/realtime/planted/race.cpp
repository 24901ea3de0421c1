// Races that ThreadSanitizer must report: `race thread` between two threads, `race shares` between shares of
// a call.
#include <cstdio>
#include <string>
#include <thread>

#include "kernels/threads/thread_team.hpp"

namespace {

int shared_count = 0;

void race_of_threads() {
  std::thread other([] { ++shared_count; });
  ++shared_count;
  other.join();
}

/// Both begin before either goes on: a helper comes, however busy the machine is.
void race_of_shares() {
  static int begun = 0;
  weft::run_shares(
      2,
      [](const void*, int, int) {
        __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
        while (__atomic_load_n(&begun, __ATOMIC_RELAXED) < 2) {
        }
        for (int i = 0; i < 1000; ++i) shared_count += i;
      },
      nullptr);
}

/// What looks alike but is none: the shares of one call have ended before those of the next begin.
void no_race() {
  static int counts[2] = {};
  for (int round = 0; round < 1000; ++round) {
    weft::run_shares(
        2, [](const void* turned, int share, int) { counts[turned ? 1 - share : share] += share; },
        round % 2 ? counts : nullptr);
    shared_count += counts[0];
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string which = count > 1 ? arguments[1] : "";
  if (which == "thread") race_of_threads();
  if (which == "shares") race_of_shares();
  if (which == "none") no_race();
  std::printf("%d\n", shared_count);
}
