// What passes from layer to layer where whole sequences run: features of every step of every sequence.
#pragma once

#include <algorithm>
#include <utility>

#include "src/checks/errors.hpp"
#include "src/model/run_graph.hpp"

namespace weft {

/// [B, T, size], contiguous.
template <class T>
struct Features {
  AlignedArray<T> data;
  int64_t size = 0, capacity = 0;
};

/// Memory that one layer is done with serves another: the system zeroes fresh pages, which takes time.
template <class T>
class FeaturePool {
 public:
  explicit FeaturePool(const Batch& batch) : rows_(batch.size * batch.time) {}

  /// Contents undefined.
  Features<T> take(int64_t size) {
    const int64_t needed = checked_product("run", "the size of a layer's result", rows_, size);
    for (Features<T>& unused : unused_)
      if (unused.capacity >= needed && unused.capacity <= 4 * needed) {
        std::swap(unused, unused_.back());
        Features<T> found = std::move(unused_.back());
        unused_.pop_back();
        found.size = size;
        return found;
      }
    return {aligned_array<T>(needed), size, needed};
  }
  void give_back(Features<T> features) {
    if (features.data) unused_.push_back(std::move(features));
  }

 private:
  int64_t rows_;
  std::vector<Features<T>> unused_;
};

/// Valid steps, each row's in reverse if asked for. Behind a row's end come zeros, whatever was there: no
/// product may meet a NaN.
template <class From, class T>
void copy_sequences(const Batch& batch, View<From, 3> from, View<T, 3> to, bool reverse = false) {
  for (int64_t b = 0; b < batch.size; ++b) {
    const int64_t length = batch.lengths ? batch.lengths.data[b] : batch.time;
    for (int64_t t = 0; t < batch.time; ++t) {
      T* step = to.data + b * to.stride[0] + t * to.stride[1];
      const int64_t source = reverse ? length - 1 - t : t;
      if (t < length)
        std::copy_n(from.data + b * from.stride[0] + source * from.stride[1], to.shape[2], step);
      else
        std::fill_n(step, to.shape[2], T(0));
    }
  }
}

}  // namespace weft
