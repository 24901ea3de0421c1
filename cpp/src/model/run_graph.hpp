// A graph over whole sequences: the calls that Python's predict makes, so that results are the same bits.
#pragma once

#include "src/model/batch.hpp"
#include "src/model/graph.hpp"

namespace weft {

/// Arguments are checked. What lies past a row's end is not read; y is zero there.
template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const T, 3> x, View<T, 3> y);
template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const int64_t, 2> tokens, View<T, 3> y);

}  // namespace weft
