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
  for (const Cache& cache : caches_) endless = endless && cache.slots(room) == cache.window;
  return endless;
}

/// Offsets and sizes are those of tensors that are there, or their products with `room`.
template <class T>
int64_t Program<T>::layout(int64_t room, std::vector<CacheLayout>& layouts) const {
  const char *op = "Stream", *what = "capacity times the size of a step";
  checked_product(op, what, room, 1024);  // kernels count in small multiples of it
  int64_t end = size_, workspace = 0;
  const auto take = [&](int64_t rows, int64_t columns) {
    const int64_t place = end;
    const int64_t size = checked_sum(op, what, checked_product(op, what, rows, columns), 64);
    end = checked_sum(op, what, end, whole_lines<T>(size));
    return place;
  };
  for (const Cache& cache : caches_) {
    AttentionArguments<T> a = cache.problem;
    const int64_t slots = cache.slots(room), row = a.k.shape[1] * a.k.shape[3];
    a.k.shape[2] = a.v.shape[2] = slots;
    CacheLayout c{slots, 0, 0, 0, 0};
    c.keys = take(slots, row);
    c.values = take(slots, row);
    if (cache.biased) c.bias = take(a.q.shape[1], AttentionOperation<T>::bias_row(slots));
    workspace = std::max(workspace, step_kernels<T>(table_).attention_workspace(a));
    layouts.push_back(c);
  }
  for (CacheLayout& c : layouts) c.workspace = end;
  take(1, workspace / int64_t(sizeof(T)));
  return header_bytes_ + checked_product(op, what, end, int64_t(sizeof(T)));
}

template <class T>
int64_t Program<T>::bytes(int64_t room) const {
  std::vector<CacheLayout> layouts;
  return layout(room, layouts);
}

template <class T>
void Program<T>::fill(std::byte* memory, int64_t room) const {
  std::vector<CacheLayout> layouts;
  // All of it, so that no step is the first to touch a page.
  std::memset(memory, 0, size_t(layout(room, layouts)));
  if (!layouts.empty()) std::memcpy(memory, layouts.data(), layouts.size() * sizeof(CacheLayout));
  for (size_t i = 0; i < caches_.size(); ++i) {
    if (!caches_[i].biased) continue;
    // A row begins with the distances slots, slots - 1 ... 0, which serve until a ring is full; then come
    // slots - 1 ... 1 once more.
    const AttentionNode<T>& op = caches_[i].op;
    const int64_t slots = layouts[i].slots, row = AttentionOperation<T>::bias_row(slots);
    for (int64_t n = 0; n < op.heads; ++n) {
      T* bias = elements(memory) + layouts[i].bias + n * row;
      fill_score_bias(op, n, -slots, slots + 1, bias);
      fill_score_bias(op, n, 1 - slots, slots - 1, bias + slots + 1);
    }
  }
}

template <class T>
void Program<T>::reset(std::byte* memory) const noexcept {
  for (const Region& state : states_) std::fill_n(elements(memory) + state.begin, state.size, T(0));
}

template <class T>
void Program<T>::copy(const std::byte* from, std::byte* to, int64_t position) const noexcept {
  const T* source = elements(const_cast<std::byte*>(from));
  T* target = elements(to);
  const auto copy = [&](int64_t place, int64_t size) { std::copy_n(source + place, size, target + place); };
  for (const Region& state : states_) copy(state.begin, state.size);
  const auto* layouts = reinterpret_cast<const CacheLayout*>(from);
  for (size_t i = 0; i < caches_.size(); ++i) {
    const auto& [slots, keys, values, bias, workspace] = layouts[i];
    const auto [_, heads, room, size] = caches_[i].problem.k.shape.at;
    for (int64_t n = 0; n < heads; ++n)
      for (const int64_t rows : {keys, values})
        copy(rows + n * slots * size, std::min(position, slots) * size);
  }
}

template class Program<float>;
template class Program<double>;

}  // namespace weft
