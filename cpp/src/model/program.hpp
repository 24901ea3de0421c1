// A graph as what streams run: a flat list of steps, and weights packed once for an instruction set.
#pragma once

#include "src/model/graph.hpp"

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
  /// Bytes of a stream's memory. Throws BadArgument where they are beyond counting.
  int64_t bytes(int64_t room) const;
  /// A state of zeros in new memory, behind the layouts of the histories.
  void fill(std::byte* memory, int64_t room) const;
  /// Back to a state of zeros.
  void reset(std::byte* memory) const noexcept;
  /// What a stream knows after `position` steps, to another with the same room.
  void copy(const std::byte* from, std::byte* to, int64_t position) const noexcept;

  void step(std::byte* memory, const T* x, int64_t position, T* y) const noexcept {
    T* const own = elements(memory);
    const Frame<T> frame{x, own, own + size_, reinterpret_cast<const HistoryLayout*>(memory), position};
    for (const Step<T>& one : steps_) one.run(one.function.get(), frame);
    const T* result = frame.read(result_);
    for (int64_t i = 0; i < outputs; ++i) y[i] = result[i];
  }
  const T* row_of(int64_t token) const noexcept { return token_rows_ + token * row_size_; }

 private:
  template <class>
  friend class ProgramBuilder;

  struct Region {
    int64_t begin, size;
  };
  int64_t layout(int64_t room, std::vector<HistoryLayout>& layouts) const;
  T* elements(std::byte* memory) const { return reinterpret_cast<T*>(memory + header_bytes_); }

  const StepTable& table_;
  std::vector<Step<T>> steps_;
  std::vector<std::unique_ptr<const History<T>>> histories_;
  std::vector<Region> states_;  // where zeros are the initial state
  int64_t size_ = 0;            // of states and scratch, in elements
  int64_t header_bytes_ = 0;
  int64_t result_ = incoming;
  const T* token_rows_ = nullptr;  // [V, D]
  int64_t row_size_ = 0;
  std::vector<AlignedArray<T>> packed_;
  std::vector<Weight<T>> kept_;  // which steps read where they are
};

}  // namespace weft
