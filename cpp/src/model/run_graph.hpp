// A graph over whole sequences: the calls that Python's predict makes, so that results are the same bits.
#pragma once

#include "weft/view.hpp"

namespace weft {

template <class T>
struct Graph;

/// B sequences of T steps. lengths: [B] or empty, the valid steps of each; threads: at most so many, or 0.
struct Batch {
  int64_t size, time;
  View<const int64_t, 1> lengths;
  int threads;
};

/// Arguments are checked. What lies past a row's end is not read; y is zero there.
template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const T, 3> x, View<T, 3> y);
template <class T>
void run_graph(const Graph<T>& graph, const Batch& batch, View<const int64_t, 2> tokens, View<T, 3> y);

}  // namespace weft
