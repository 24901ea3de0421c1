// A way to end a long call early.
#pragma once

#include "weft/export.h"

namespace weft {

/// While it lives, the calls that this thread makes ask `stop` some ten times a second, between pieces of
/// their work, and end early once it has answered true: what they were to write, and what they were to add
/// to, is undefined then. `stop` runs on this thread; it must neither throw nor call weft.
///
///     weft::Interruptible calls([] { return cancelled.load(); });
///     weft::recurrent_forward<float>(...);
///     if (calls.interrupted()) return;
class WEFT_API Interruptible {
 public:
  explicit Interruptible(bool (*stop)()) noexcept;
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  /// Whether a call has been told to end early.
  bool interrupted() const noexcept;

  struct State;  ///< what the threads of a call share

 private:
  State* state_;
  State* outer_;
  alignas(8) unsigned char memory_[32];
};

}  // namespace weft
