// BasicModel::run: validation.
#include "src/checks/checks.hpp"
#include "src/model/graph.hpp"
#include "src/model/run_graph.hpp"
#include "src/runtime/cost.hpp"
#include "weft/dense.hpp"
#include "weft/model.hpp"

namespace weft {
namespace {

constexpr const char* operation = "run";

/// The batch, or nothing to do. `lengths` holds a contiguous copy.
template <class T, class X, int N>
Batch check(const Graph<T>& graph, const View<X, N>& x, const View<T, 3>& y,
            const View<const int64_t, 1>& lengths, int threads, std::vector<int64_t>& copy) {
  const int64_t B = x.shape[0], time = x.shape[1];
  check_view(operation, "y", y, "(B, T, outputs)", {B, time, graph.root.outputs});
  check_optional(operation, "lengths", lengths, "(B,)", {B});
  if (threads < 0) fail(operation, "threads must be at least 0, got " + std::to_string(threads));
  if (graph.context > 0 && time > graph.context)
    fail(operation, "x must have T = at most " + std::to_string(graph.context) +
                        " steps, the model's context, got " + std::to_string(time));
  Batch batch{B, time, {}, most_threads(threads)};
  if (!lengths) return batch;
  for (int64_t b = 0; b < B; ++b) {
    copy.push_back(lengths.data[b * lengths.stride[0]]);
    if (copy.back() < 0 || copy.back() > time)
      fail(operation, "lengths must be in 0..T = 0.." + std::to_string(time) + ", got " +
                          std::to_string(copy.back()) + " at [" + std::to_string(b) + "]");
  }
  batch.lengths = {copy.data(), {B}};
  return batch;
}

}  // namespace

template <class T>
void BasicModel<T>::run(View<const T, 3> x, View<T, 3> y, View<const int64_t, 1> lengths, int threads) const {
  if (graph_->takes_tokens)
    fail(operation, "x must be tokens (B, T), integers below " + std::to_string(inputs()) + ", got features");
  check_view(operation, "x", x, "(B, T, inputs)", {x.shape[0], x.shape[1], inputs()});
  std::vector<int64_t> copy;
  const Batch batch = check(*graph_, x, y, lengths, threads, copy);
  if (batch.size > 0 && batch.time > 0) run_graph(*graph_, batch, x, y);
}

template <class T>
void BasicModel<T>::run(View<const int64_t, 2> tokens, View<T, 3> y, View<const int64_t, 1> lengths,
                        int threads) const {
  if (!graph_->takes_tokens)
    fail(operation,
         "x must be features (B, T, inputs) with inputs = " + std::to_string(inputs()) + ", got tokens");
  check_view(operation, "tokens", tokens, "(B, T)", tokens.shape);
  std::vector<int64_t> copy;
  const Batch batch = check(*graph_, tokens, y, lengths, threads, copy);
  if (batch.size == 0 || batch.time == 0) return;
  for (int64_t b = 0; b < batch.size; ++b) {
    const int64_t valid = batch.lengths ? batch.lengths.data[b] : batch.time;
    const View<const int64_t, 1> row(tokens.data + b * tokens.stride[0], {valid}, {tokens.stride[1]});
    const int64_t outside = find_index_outside(row, inputs());
    if (outside >= 0)
      fail(operation, "tokens must be in [0, V) = [0, " + std::to_string(inputs()) + "), got " +
                          std::to_string(row.data[outside * row.stride[0]]) + " at [" + std::to_string(b) +
                          ", " + std::to_string(outside) + "]");
  }
  run_graph(*graph_, batch, tokens, y);
}

#define WEFT_INSTANTIATE(T)                                                                          \
  template void BasicModel<T>::run(View<const T, 3>, View<T, 3>, View<const int64_t, 1>, int) const; \
  template void BasicModel<T>::run(View<const int64_t, 2>, View<T, 3>, View<const int64_t, 1>, int) const;
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
