#include "src/model/run_graph.hpp"

#include "src/model/graph.hpp"

namespace weft {

template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const T, 3> x, View<T, 3> y) {
  SequenceRun<T> sequences(batch, {});
  const Features<T> features = sequences.take(x.shape[2]);
  copy_sequences<const T, T>(batch, x, {features.data.get(), x.shape});
  const Features<T> result = sequences.run(graph.root, features);
  copy_sequences<const T, T>(batch, {result.data.get(), y.shape}, y);
}

template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const int64_t, 2> tokens, View<T, 3> y) {
  const auto [B, time] = tokens.shape.at;
  std::vector<int64_t> rows(size_t(B * time));
  copy_sequences<const int64_t, int64_t>(batch,
                                         {tokens.data, {B, time, 1}, {tokens.stride[0], tokens.stride[1], 1}},
                                         {rows.data(), {B, time, 1}});
  const Features<T> result = SequenceRun<T>(batch, {rows.data(), {B * time}}).run(graph.root, {});
  copy_sequences<const T, T>(batch, {result.data.get(), y.shape}, y);
}

#define WEFT_INSTANTIATE(T)                                                             \
  template void run_graph(const Graph<T>&, const Batch&, View<const T, 3>, View<T, 3>); \
  template void run_graph(const Graph<T>&, const Batch&, View<const int64_t, 2>, View<T, 3>);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
