// Tasks of unequal size, dealt to threads in order as they become free. Which thread takes which task changes
// from run to run, so no result may depend on it.
#pragma once

#include "kernels/simd/isa.hpp"
#include "kernels/threads/thread_team.hpp"

namespace weft::WEFT_ISA {

class alignas(64) Tasks {
 public:
  explicit Tasks(int64_t count) : count_(count) {}

  /// The next one; at least the count when there is none left, or the call shall end early.
  int64_t take() { return interrupted() ? count_ : __atomic_fetch_add(&next_, 1, __ATOMIC_RELAXED); }
  int64_t count() const { return count_; }

 private:
  int64_t next_ = 0, count_;
};

}  // namespace weft::WEFT_ISA
