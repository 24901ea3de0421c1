// The order of work of a ragged batch, from its lengths: SequencePlan, and the memory it lies in.
#pragma once

#include <algorithm>

#include "kernels/recurrent/recurrent_table.hpp"
#include "weft/recurrent.hpp"

namespace weft {

inline size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Sorts rows by length with the counters that the plan holds anyway: counting sort, stable, longest first.
template <class T>
struct Plan {
  static size_t bytes(int64_t batch, int64_t steps) {
    return aligned(size_t(2 * batch + 2 * (steps + 1)) * 8);
  }

  static int64_t steps(const RecurrentArguments<T>& a) {
    if (!a.lengths) return a.x.shape[0] > 0 ? a.x.shape[1] : 0;
    int64_t longest = 0;
    for (int64_t b = 0; b < a.x.shape[0]; ++b)
      longest = std::max(longest, a.lengths.data[b * a.lengths.stride[0]]);
    return longest;
  }

  static SequencePlan view(int64_t* memory, int64_t batch, int64_t steps) {
    return {steps, memory, memory + batch, memory + 2 * batch, memory + 2 * batch + steps + 1};
  }

  static void fill(int64_t* memory, const RecurrentArguments<T>& a, int64_t steps) {
    const int64_t batch = a.x.shape[0];
    int64_t *order = memory, *length = memory + batch, *active = memory + 2 * batch,
            *offset = active + steps + 1;
    const auto length_of = [&](int64_t b) {
      return a.lengths ? a.lengths.data[b * a.lengths.stride[0]] : steps;
    };
    for (int64_t s = 0; s <= steps; ++s) active[s] = 0;
    for (int64_t b = 0; b < batch; ++b)
      if (length_of(b) > 0) ++active[length_of(b) - 1];
    for (int64_t s = steps - 1; s >= 0; --s) active[s] += active[s + 1];  // rows longer than s
    offset[0] = 0;
    for (int64_t s = 0; s < steps; ++s) offset[s + 1] = offset[s] + active[s];
    // The rows of length n come after those that are longer; `length` counts how many of them have been
    // placed.
    for (int64_t j = 0; j < batch; ++j) length[j] = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t first = active[length_of(b)];
      order[first + length[first]++] = b;
    }
    for (int64_t j = 0; j < batch; ++j) length[j] = length_of(order[j]);
  }
};

}  // namespace weft
