// A stream driven through every real-time call, for any number of steps.
#pragma once

#include <cmath>

#include "check.hpp"
#include "model_kinds.hpp"
#include "weft/model.hpp"

namespace weft::test {

/// How the processor treats subnormal numbers, exceptions and rounding; flags that only record are left out.
inline uint64_t floating_point_mode() {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & ~0x3Fu;
#elif defined(__aarch64__)
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

/// Numbers or tokens for any model: row i is that of step i, modulo `rows`.
template <class T>
class Inputs {
 public:
  static constexpr int64_t rows = 64;

  explicit Inputs(const BasicModel<T>& model, uint64_t seed = 1, double bound = 1)
      : width_(model.inputs()), takes_tokens_(model.takes_tokens()) {
    if (takes_tokens_)
      for (double number : random_numbers<double>(rows, seed))
        tokens_.push_back(int64_t((number + 1) / 2 * double(width_)));
    else
      numbers_ = random_numbers<T>(rows * width_, seed, bound);
  }
  Status step(BasicStream<T>& stream, int64_t i, T* y) const noexcept {
    return takes_tokens_ ? stream.step(tokens_[size_t(i % rows)], y)
                         : stream.step(numbers_.data() + i % rows * width_, y);
  }
  /// Rows begin, ..., begin + n - 1; they must be there.
  Status process(BasicStream<T>& stream, int64_t begin, T* y, int64_t n) const noexcept {
    return takes_tokens_ ? stream.process(tokens_.data() + begin, y, n)
                         : stream.process(numbers_.data() + begin * width_, y, n);
  }

 private:
  int64_t width_;
  bool takes_tokens_;
  std::vector<T> numbers_;
  std::vector<int64_t> tokens_;
};

template <class T>
class Drive {
 public:
  static constexpr int64_t block = 16;

  Drive(const ModelKind& kind, int64_t steps)
      : model_(BasicModel<T>::parse(kind.bytes)),
        stream_(model_, kind.capacity),
        other_(stream_),
        inputs_(model_),
        y_(size_t(block * model_.outputs())),
        steps_(steps) {}

  /// Single steps, blocks, the other stream's turn from the same state, a step that is refused, and a reset
  /// now and then or where the memory is full. True where every call said what it should and every result is
  /// finite.
  template <class At>
  bool run(const At& at) noexcept {
    const uint64_t mode = floating_point_mode();
    bool held = true;
    for (int64_t round = 0; done_ < steps_; ++round) {
      for (int64_t i = 0; i < block; ++i) {
        held &= advance([&] { return inputs_.step(stream_, i, y_.data()); }, 1);
        at(done_);
      }
      held &= advance([&] { return inputs_.process(stream_, block, y_.data(), block); }, block);
      held &= other_.assign(stream_) && other_.position() == stream_.position();
      const Status status = inputs_.step(other_, 3, y_.data());
      held &= status == Status::ok || status == Status::full;
      held &= stream_.step(int64_t{-1}, y_.data()) ==
              (model_.takes_tokens() ? Status::bad_token : Status::wrong_input);
      if (round % 4 == 3) stream_.reset();
    }
    return held && floating_point_mode() == mode;
  }

 private:
  template <class Call>
  bool advance(const Call& call, int64_t n) noexcept {
    const int64_t before = stream_.position();
    const Status status = call();
    const int64_t made = stream_.position() - before;
    done_ += made;
    bool held = status == Status::ok ? made == n : status == Status::full && made < n;
    for (int64_t i = 0; i < made * model_.outputs(); ++i) held &= std::isfinite(y_[size_t(i)]);
    if (status == Status::full) stream_.reset();
    return held;
  }

  BasicModel<T> model_;
  BasicStream<T> stream_, other_;
  Inputs<T> inputs_;
  std::vector<T> y_;
  int64_t steps_, done_ = 0;
};

}  // namespace weft::test
