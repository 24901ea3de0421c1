// Software prefetch of rows that will be read soon, a few at a time between arithmetic, which hides the
// latency of memory. The processor's own prefetcher follows sequential reads alone.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

template <class T>
class Prefetch {
 public:
  Prefetch() = default;
  /// fetch_part() will be called `parts` times.
  Prefetch(const T* data, int64_t row, int64_t rows, int64_t columns, int64_t parts)
      : data_(data),
        row_(row),
        rows_(rows),
        columns_(columns),
        step_((rows + parts - 1) / max_of(parts, 1)) {}

  void fetch_part() {
    const int64_t end = min_of(next_ + step_, rows_);
    for (; next_ < end; ++next_)
      for (int64_t i = 0; i < columns_; i += 64 / int64_t(sizeof(T)))
        __builtin_prefetch(data_ + next_ * row_ + i, 0, 2);
  }

 private:
  const T* data_ = nullptr;
  int64_t row_ = 0, rows_ = 0, columns_ = 0, step_ = 0, next_ = 0;
};

}  // namespace weft::WEFT_ISA
