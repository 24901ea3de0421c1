// Nothing that is called in real time allocates, locks, waits or asks the system: over a million steps of
// every kind of model, the first one included.
//
//   LD_PRELOAD=libweft_watch.so test_no_calls [steps]
//
// Before that, the same check must find an allocation, a lock and a system call that are planted among the
// steps.
#include <cstdlib>
#include <memory>
#include <mutex>

#include "confined.hpp"
#include "stepping.hpp"
#include "weft/weft.h"

using namespace weft::test;

namespace {

template <class T, class At>
Verdict drive(const ModelKind& kind, int64_t steps, const At& at) {
  return confined([&] {
    auto stepped = std::make_shared<Drive<T>>(kind, steps);
    return [stepped, &at] { return stepped->run(at); };
  });
}

template <class At>
void check_found(const std::string& what, const std::string& text, const At& plant) {
  const ModelKind kind = model_kinds<float>().front();
  const Verdict verdict = drive<float>(kind, 2000, [&](int64_t step) {
    if (step == 1000) plant();
  });
  check(verdict.text().find(text) != std::string::npos, what + " was not found: " + verdict.text());
}

void test_planted() {
  static std::mutex mutex;
  void* volatile memory = nullptr;  // volatile: an unused allocation is the compiler's to leave out
  check_found("a planted allocation", "calls, the first of malloc", [&] {
    memory = std::malloc(10);
    std::free(memory);
  });
  check_found("a planted new", "calls, the first of malloc", [&] {
    memory = new double[3];
    delete[] static_cast<double*>(memory);
  });
  check_found("a planted exception", "call", [] {  // it allocates, and the first one waits for a lock
    try {
      throw 1;
    } catch (int) {
    }
  });
  check_found("a planted lock", "calls, the first of pthread_mutex_lock",
              [] { std::lock_guard lock(mutex); });
  check_found("a planted system call", "system call " + std::to_string(SYS_sched_yield),
              [] { sched_yield(); });
  check_found("a planted write", "system call " + std::to_string(SYS_write), [] {
    if (write(2, "", 0) != 0) return;
  });
  check_found("a planted crash", "it crashed", [] { __builtin_trap(); });
}

template <class T>
void test_kinds(int64_t steps) {
  for (const auto& kind : model_kinds<T>()) {
    const Verdict verdict = drive<T>(kind, steps, [](int64_t) {});
    check(verdict.clean(), kind.name + ": " + verdict.text());
  }
}

/// The C interface, which stands above the same streams.
void test_c(int64_t steps) {
  const ModelKind kind = model_kinds<float>().front();
  const Verdict verdict = confined([&] {
    weft_model* model = nullptr;
    weft_stream *stream = nullptr, *other = nullptr;
    weft_model_parse(kind.bytes.data(), kind.bytes.size(), &model);
    weft_stream_new(model, 0, &stream);
    weft_stream_copy(stream, &other);
    return [=] {
      const float x[8 * 6] = {0.5f, -0.25f};
      float y[8 * 32];
      double wrong[32] = {};
      bool held = true;
      for (int64_t done = 0; done < steps; done += 9) {
        held &= weft_stream_step(stream, x, y) == WEFT_OK && weft_stream_process(stream, x, y, 8) == WEFT_OK;
        held &= weft_stream_step_token(stream, 1, y) == WEFT_WRONG_INPUT;
        held &= weft_stream_step_f64(stream, wrong, wrong) == WEFT_WRONG_INPUT;
        held &= weft_stream_assign(other, stream) == WEFT_OK && weft_stream_position(other) == 9;
        weft_stream_reset(stream);
      }
      return held;
    };
  });
  check(verdict.clean(), "the C interface: " + verdict.text());
}

}  // namespace

int main(int count, char** arguments) {
  if (!can_confine()) {
    std::fprintf(stderr, "without the watcher, or without seccomp: nothing can be shown\n");
    return skipped;
  }
  const int64_t steps = count > 1 ? std::atoll(arguments[1]) : 1'000'000;
  test_planted();
  test_c(steps);
  test_kinds<float>(steps);
  test_kinds<double>(steps);
  return failures();
}
