// What passes from node to node where whole sequences run, features of every step of every sequence, and what
// operations ask for while they do.
#pragma once

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "src/checks/errors.hpp"
#include "src/model/aligned.hpp"
#include "src/model/run_graph.hpp"
#include "weft/config.hpp"

namespace weft {

template <class T>
struct Node;

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

template <class T>
class SequenceRun {
 public:
  SequenceRun(const Batch& batch, View<const int64_t, 1> tokens)
      : batch(batch), tokens(tokens), pool_(batch) {}

  const Batch batch;
  const View<const int64_t, 1> tokens;  // [B T], or empty

  Features<T> run(const Node<T>& node, const Features<T>& x) {
    return std::visit([&](const auto& op) { return op.run(x, *this); }, node.op);
  }
  /// Contents undefined.
  Features<T> take(int64_t size) { return pool_.take(size); }
  void give_back(Features<T> features) { pool_.give_back(std::move(features)); }

  int64_t rows() const { return batch.size * batch.time; }
  int threads() const { return batch.threads > 0 ? batch.threads : num_threads(); }
  View<T, 2> matrix(const Features<T>& features) const {
    return {features.data.get(), {rows(), features.size}};
  }
  View<T, 3> sequences(const Features<T>& features) const { return part(features, 0, features.size); }
  /// Some of the features.
  View<T, 3> part(const Features<T>& y, int64_t first, int64_t size) const {
    return {y.data.get() + first, {batch.size, batch.time, size}, {batch.time * y.size, y.size, 1}};
  }

 private:
  FeaturePool<T> pool_;
};

}  // namespace weft
