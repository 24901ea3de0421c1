// A graph as what streams run: a flat list of operations, and weights packed once for an instruction set.
#pragma once

#include "src/model/operation.hpp"

namespace weft {

/// Immutable, shared by the streams of a model.
template <class T>
class Program {
 public:
  Program(const Graph<T>& graph, const StepTable& table);
  /// The graph's own, for the instruction set in use: made when it is first asked for, by any thread.
  static std::shared_ptr<const Program> of(const Graph<T>& graph);

  int64_t inputs, outputs;
  bool takes_tokens;
  int64_t places;            // learned positions, 0: none
  int64_t weight_bytes = 0;  // that a step reads, each as often as it does

  /// Does a stream with room for so many steps go on for ever? It does without attention, or where the room
  /// is that of its windows.
  bool is_endless(int64_t room) const;
  /// Bytes of a stream's memory. Throws std::invalid_argument where they are beyond counting.
  int64_t bytes(int64_t room) const;
  /// A state of zeros in new memory, behind the layout of the caches.
  void fill(std::byte* memory, int64_t room) const;
  /// Back to a state of zeros.
  void reset(std::byte* memory) const noexcept;
  /// What a stream knows after `position` steps, to another with the same room.
  void copy(const std::byte* from, std::byte* to, int64_t position) const noexcept;

  void step(std::byte* memory, const T* x, int64_t position, T* y) const noexcept {
    const Frame<T> frame{x, elements(memory), reinterpret_cast<const CacheLayout*>(memory), position};
    for (const Operation<T>& operation : operations_) operation.run(operation.kind.get(), frame);
    const T* result = read(frame, result_);
    for (int64_t i = 0; i < outputs; ++i) y[i] = result[i];
  }
  const T* embedding(int64_t token) const noexcept { return embedding_ + token * embedding_size_; }

 private:
  template <class>
  friend class ProgramBuilder;

  struct Region {
    int64_t begin, size;
  };
  /// Of an attention: it keeps all steps, or if window > 0 the last ones alone.
  struct Cache {
    AttentionNode<T> op;  // its positions
    AttentionArguments<T> problem;
    int64_t window;
    bool biased;

    int64_t slots(int64_t room) const { return window > 0 && window <= room ? window : room; }
  };
  int64_t layout(int64_t room, std::vector<CacheLayout>& layouts) const;
  T* elements(std::byte* memory) const { return reinterpret_cast<T*>(memory + header_bytes_); }

  const StepTable& table_;
  std::vector<Operation<T>> operations_;
  std::vector<Cache> caches_;
  std::vector<Region> states_;  // where zeros are the initial state
  int64_t size_ = 0;            // of states and scratch, in elements
  int64_t header_bytes_ = 0;
  int64_t result_ = incoming;
  const T* embedding_ = nullptr;  // [V, D]
  int64_t embedding_size_ = 0;
  std::vector<AlignedArray<T>> packed_;
  std::vector<Weight<T>> kept_;  // which operations read where they are
};

}  // namespace weft
