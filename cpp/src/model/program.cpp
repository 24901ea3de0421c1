#include "src/model/program.hpp"

#include <pthread.h>

#include <cstring>
#include <mutex>

#include "src/checks/errors.hpp"
#include "src/model/program_builder.hpp"
#include "src/runtime/step_dispatch.hpp"

namespace weft {
namespace {

/// One program is built at a time, of whatever model. Held across a fork, so that the child finds no model
/// half done.
std::mutex& building() {
  static std::mutex* const mutex = [] {
    auto* const made = new std::mutex;
    pthread_atfork([] { building().lock(); }, [] { building().unlock(); }, [] { building().unlock(); });
    return made;
  }();
  return *mutex;
}
[[maybe_unused]] const std::mutex& made_at_load = building();  // a fork finds it whole

}  // namespace

template <class T>
Program<T>::Program(const Graph<T>& graph, const StepTable& table)
    : inputs(graph.inputs),
      outputs(graph.root.outputs),
      takes_tokens(graph.takes_tokens),
      places(graph.places),
      table_(table) {
  ProgramBuilder<T>(*this, table).build(graph);
}

template <class T>
std::shared_ptr<const Program<T>> Program<T>::of(const Graph<T>& graph) {
  const StepTable& table = current_step_table();
  const std::lock_guard lock(building());
  if (!graph.program || &graph.program->table_ != &table)
    graph.program = std::make_shared<const Program>(graph, table);
  return graph.program;
}

template <class T>
bool Program<T>::is_endless(int64_t room) const {
  bool endless = places == 0;
  for (const auto& history : histories_) endless = endless && history->is_endless(room);
  return endless;
}

/// Offsets and sizes are those of tensors that are there, or their products with `room`.
template <class T>
int64_t Program<T>::layout(int64_t room, std::vector<HistoryLayout>& layouts) const {
  const char *op = "Stream", *what = "capacity times the size of a step";
  checked_product(op, what, room, 1024);  // kernels count in small multiples of it
  int64_t end = size_, workspace = 0;
  const auto take = [&](int64_t rows, int64_t columns) {
    const int64_t place = end;
    const int64_t size = checked_sum(op, what, checked_product(op, what, rows, columns), 64);
    end = checked_sum(op, what, end, whole_lines<T>(size));
    return place;
  };
  for (const auto& history : histories_)
    workspace = std::max(workspace, history->workspace(history->slots(room)));
  take(1, workspace / int64_t(sizeof(T)));  // first, where frames have it
  for (const auto& history : histories_) {
    layouts.push_back({history->slots(room), {}});
    history->lay_out(layouts.back(), take);
  }
  return header_bytes_ + checked_product(op, what, end, int64_t(sizeof(T)));
}

template <class T>
int64_t Program<T>::bytes(int64_t room) const {
  std::vector<HistoryLayout> layouts;
  return layout(room, layouts);
}

template <class T>
void Program<T>::fill(std::byte* memory, int64_t room) const {
  std::vector<HistoryLayout> layouts;
  // All of it, so that no step is the first to touch a page.
  std::memset(memory, 0, size_t(layout(room, layouts)));
  if (!layouts.empty()) std::memcpy(memory, layouts.data(), layouts.size() * sizeof(HistoryLayout));
  for (size_t i = 0; i < histories_.size(); ++i) histories_[i]->fill(layouts[i], elements(memory));
}

template <class T>
void Program<T>::reset(std::byte* memory) const noexcept {
  for (const Region& state : states_) std::fill_n(elements(memory) + state.begin, state.size, T(0));
}

template <class T>
void Program<T>::copy(const std::byte* from, std::byte* to, int64_t position) const noexcept {
  const T* source = elements(const_cast<std::byte*>(from));
  T* target = elements(to);
  for (const Region& state : states_) std::copy_n(source + state.begin, state.size, target + state.begin);
  const auto* layouts = reinterpret_cast<const HistoryLayout*>(from);
  for (size_t i = 0; i < histories_.size(); ++i) histories_[i]->copy(layouts[i], source, target, position);
}

template class Program<float>;
template class Program<double>;

}  // namespace weft
