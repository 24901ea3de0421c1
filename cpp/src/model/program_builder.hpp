// From a graph to the list of a step: what operations ask for when they add theirs.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kernels/step/step_table.hpp"
#include "src/checks/errors.hpp"
#include "src/model/step.hpp"
#include "src/model/weight.hpp"

namespace weft {

template <class T>
struct Graph;
template <class T>
struct Node;
template <class T>
class Program;

/// Places in a stream's memory, in whole cache lines.
template <class T>
class Places {
 public:
  /// For what lasts from step to step: nobody has it before or after.
  int64_t keep(int64_t size) {
    const int64_t place = end_;
    end_ += whole_lines<T>(size);
    return place;
  }
  /// For what is used within a step, until it is given back.
  int64_t take(int64_t size) {
    size = whole_lines<T>(std::max<int64_t>(size, 1));
    for (auto& [place, room] : unused_)
      if (room >= size) {
        const int64_t found = place;
        taken_[found] = room;
        unused_.erase(found);
        return found;
      }
    const int64_t place = keep(size);
    taken_[place] = size;
    return place;
  }
  void give_back(int64_t place) {
    unused_[place] = taken_.at(place);
    taken_.erase(place);
  }
  int64_t end() const { return end_; }

 private:
  std::map<int64_t, int64_t> unused_, taken_;  // place to size
  int64_t end_ = 0;
};

template <class T>
class ProgramBuilder {
 public:
  ProgramBuilder(Program<T>& program, const StepTable& table)
      : kernels(step_kernels<T>(table)), program_(program) {}

  void build(const Graph<T>& graph) {
    // Weights that many layers share are packed once; but a file could pair one with a thousand biases, or
    // have a million layers share one, each with a state of its own.
    const int64_t most = 16 * graph.weight_bytes + (int64_t(1) << 26);
    most_packed_ = most;
    program_.result_ = add(graph.root, {incoming, graph.inputs, false}).place;
    program_.size_ = places_.end();
    if (program_.size_ > most / int64_t(sizeof(T))) refuse_shared("their states");
    program_.header_bytes_ =
        whole_lines<std::byte>(int64_t(program_.histories_.size() * sizeof(HistoryLayout)));
  }

  const StepKernels<T>& kernels;

  Value add(const Node<T>& node, const Value& in) {
    return std::visit([&](const auto& op) { return op.step(in, *this); }, node.op);
  }

  // ---- memory ----

  /// For use within a step.
  Value take(int64_t size) { return {places_.take(size), size, true}; }
  void give_back(const Value& value) {
    if (value.owned) places_.give_back(value.place);
  }
  /// For what lasts from step to step; zeros at first.
  int64_t state(int64_t size) {
    const int64_t place = places_.keep(size);
    program_.states_.push_back({place, size});
    return place;
  }
  /// For what several operations of a step need, once in it: compute(place) adds how it comes there. The key
  /// says what it is.
  template <class Compute>
  int64_t once(std::pair<const char*, std::vector<double>> key, int64_t size, const Compute& compute) {
    const auto [known, is_new] = once_.try_emplace(std::move(key), 0);
    if (is_new) {
      known->second = places_.keep(size);
      compute(known->second);
    }
    return known->second;
  }
  /// Its index among those of a frame.
  size_t remember(std::unique_ptr<const History<T>> history) {
    program_.histories_.push_back(std::move(history));
    return program_.histories_.size() - 1;
  }

  // ---- weights ----

  const T* keep(const Weight<T>& weight) {
    if (weight) program_.kept_.push_back(weight);
    return data_of(weight);
  }
  /// What pack(memory) packs into memory of that size, once for each list of weights and numbers.
  template <class Pack>
  const T* packed(std::vector<const void*> key, int64_t size, const Pack& pack) {
    const T*& known = known_[std::move(key)];
    program_.weight_bytes += size * int64_t(sizeof(T));
    if (known != nullptr) return known;
    most_packed_ -= size * int64_t(sizeof(T));
    if (most_packed_ < 0) refuse_shared("they, packed,");
    program_.packed_.push_back(aligned_array<T>(size));
    T* memory = program_.packed_.back().get();
    pack(memory);
    return known = memory;
  }
  /// Tokens come in as rows of this.
  void read_rows(const Weight<T>& weight) {
    program_.token_rows_ = keep(weight);
    program_.row_size_ = weight->shape[1];
  }

  // ---- what a step does, in this order ----

  /// function(frame)
  template <class Function>
  void append(Function function) {
    program_.steps_.emplace_back(std::move(function));
  }
  /// kernel(size, x, y) of what comes in; size: of y.
  Value append_rows(void (*kernel)(int64_t size, const T* x, T* y), int64_t size, const Value& in) {
    const Value y = take(size);
    append([=](const Frame<T>& f) { kernel(size, f.read(in.place), f.memory + y.place); });
    return y;
  }

 private:
  [[noreturn]] static void refuse_shared(const std::string& what) {
    fail("Stream", "model shares its weights among so many layers that " + what +
                       " would take many times the memory of the weights");
  }

  Program<T>& program_;
  Places<T> places_;
  std::map<std::vector<const void*>, const T*> known_;
  std::map<std::pair<const char*, std::vector<double>>, int64_t> once_;
  int64_t most_packed_ = 0;  // bytes that are left
};

}  // namespace weft
