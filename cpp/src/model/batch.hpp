// The sequences that a graph runs over.
#pragma once

#include "weft/view.hpp"

namespace weft {

/// B sequences of T steps. lengths: [B] or empty, the valid steps of each; threads: at most so many, or 0.
struct Batch {
  int64_t size, time;
  View<const int64_t, 1> lengths;
  int threads;
};

}  // namespace weft
