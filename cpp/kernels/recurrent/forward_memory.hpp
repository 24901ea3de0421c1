// The memory of a forward pass beside states and weights.
#pragma once

#include "kernels/recurrent/sequence_in_place.hpp"

namespace weft::WEFT_ISA {

/// Shared by all threads, a row for each row of the batch.
template <class T>
struct ForwardShared {
  T *masked, *inner;

  static ForwardShared take(Arena& arena, const Geometry<T>& g) {
    const int64_t size = g.problem.batch * g.h_row;
    return {g.arguments.recurrent_dropout_mask ? arena.take<T>(size) : nullptr,
            g.cell.stages > 1 ? arena.take<T>(size) : nullptr};
  }
};

/// One part's: a chunk's inputs and their products, and a step's block.
template <class T>
struct ForwardScratch {
  T *inputs, *sums, *tile;
  InPlaceProducts<T> in_place;

  static ForwardScratch take(Arena& arena, const Geometry<T>& g) {
    const int64_t chunk = g.largest_chunk();
    return {arena.take<T>(chunk * g.input_row), arena.take<T>(chunk * g.gates_row),
            arena.take<T>(g.problem.batch * g.cell.gates * g.block), InPlaceProducts<T>::take(arena, g)};
  }
};
/// Where each of them lies.
template <class T>
struct ForwardScratches {
  char* memory;
  size_t each;

  ForwardScratch<T> of(const Worker& worker, const Geometry<T>& g) const {
    Arena arena(memory + size_t(worker.thread) * each);
    return ForwardScratch<T>::take(arena, g);
  }
};

}  // namespace weft::WEFT_ISA
