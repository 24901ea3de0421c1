// A way to end a long call early.
#pragma once

#include "weft/export.h"

namespace weft {

/// While an Interruptible lives, the calls that its thread makes ask `stop` about ten times a second, between
/// pieces of their work. Once `stop` has returned true they end early; the arrays that they write or add to
/// are then undefined. `stop` runs on this thread. It must neither throw nor call weft.
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
