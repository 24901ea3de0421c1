// Races that ThreadSanitizer must report: `race thread` between two threads, `race team` within OpenMP's.
#include <cstdio>
#include <string>
#include <thread>

namespace {

int shared_count = 0;

void race_of_threads() {
  std::thread other([] { ++shared_count; });
  ++shared_count;
  other.join();
}

void race_of_a_team() {
#pragma omp parallel num_threads(2)
  for (int i = 0; i < 1000; ++i) shared_count += i;
}

/// What looks alike but is none: the end of one region comes before the next begins.
void no_race() {
  int counts[2] = {};
  for (int round = 0; round < 10; ++round) {
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 2; ++i) counts[round % 2 ? 1 - i : i] += i;
    shared_count += counts[0];
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string which = count > 1 ? arguments[1] : "";
  if (which == "thread") race_of_threads();
  if (which == "team") race_of_a_team();
  if (which == "none") no_race();
  std::printf("%d\n", shared_count);
}
