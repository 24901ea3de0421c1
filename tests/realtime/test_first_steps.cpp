// A stream touches its memory when it is made: no step of a new one, to the end of its memory, has a page to
// wait for.
//
// Pages of the program itself are read by the first stream that steps in a process; a second one is looked
// at.
#include <malloc.h>
#include <sys/resource.h>

#include "check.hpp"
#include "stepping.hpp"

using namespace weft::test;

namespace {

long page_faults() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

/// The least of some tries: the machine may take pages back for reasons of its own.
template <class Run>
long least_faults(const Run& run) {
  long least = run();
  for (int i = 0; i < 4 && least > 0; ++i) least = std::min(least, run());
  return least;
}

template <class T>
void test_faults(const ModelKind& kind) {
  const auto model = weft::BasicModel<T>::parse(kind.bytes);
  const Inputs<T> inputs(model);
  std::vector<T> y(size_t(model.outputs()));
  const auto faults = [&] {
    weft::BasicStream<T> stream(model, kind.capacity);
    const int64_t steps = stream.capacity() > 0 ? stream.capacity() : 100;
    const long before = page_faults();
    for (int64_t i = 0; i < steps; ++i)
      check(inputs.step(stream, i, y.data()) == weft::Status::ok, kind.name + ": a step was refused");
    return page_faults() - before;
  };
  faults();
  const long found = least_faults(faults);
  check(found == 0, kind.name + ": " + std::to_string(found) + " page faults in the steps of a new stream");
}

void test_planted() {
  const auto touch = [] {  // memory that nobody has touched
    std::unique_ptr<volatile char[]> fresh(new volatile char[4 << 20]);
    const long before = page_faults();
    for (int i = 0; i < 4 << 20; i += 4096) fresh[i] = 1;
    return page_faults() - before;
  };
  check(least_faults(touch) > 0, "page faults are not seen");
}

}  // namespace

int main() {
  mallopt(M_MMAP_THRESHOLD, 1 << 16);  // large memory is the system's own, never one that was freed before
  test_planted();
  for (const auto& kind : model_kinds<float>()) test_faults<float>(kind);
  test_faults<float>(gpt<float>(2, 64, 2, 2048));
  test_faults<double>(gpt<double>(1, 64, 2, 1024));
  return failures();
}
