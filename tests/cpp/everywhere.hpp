// One computation on every instruction set of this machine, with any number of threads.
#pragma once

#include "check.hpp"
#include "weft/config.hpp"
#include "weft/view.hpp"

namespace weft::test {

template <class T>
using Arrays = std::vector<std::vector<T>>;

template <class T>
View<T, 1> view(std::vector<T>& v) {
  return {v.data(), {int64_t(v.size())}};
}
template <class T>
View<const T, 1> view(const std::vector<T>& v) {
  return {v.data(), {int64_t(v.size())}};
}
/// The same numbers as rows.
template <class T>
View<T, 2> view(std::vector<T>& v, int64_t rows, int64_t columns) {
  return {v.data(), {rows, columns}};
}
template <class T>
View<const T, 2> view(const std::vector<T>& v, int64_t rows, int64_t columns) {
  return {v.data(), {rows, columns}};
}
/// Likewise several matrices.
template <class T>
View<T, 3> view(std::vector<T>& v, int64_t batch, int64_t rows, int64_t columns) {
  return {v.data(), {batch, rows, columns}};
}
template <class T>
View<const T, 3> view(const std::vector<T>& v, int64_t batch, int64_t rows, int64_t columns) {
  return {v.data(), {batch, rows, columns}};
}

/// compute() gives `expected` within `tolerance` relative to an array's largest element, on every instruction
/// set, and the same bits on one, two and three threads.
template <class T, class Compute>
void check_everywhere(const Compute& compute, const Arrays<double>& expected, double tolerance,
                      const std::string& what) {
  const std::string before = isa();
  const int threads_before = num_threads();
  for (const std::string& name : available_isas()) {
    set_isa(name);
    const std::string where = name + (sizeof(T) == 4 ? " float32 " : " float64 ") + what;
    Arrays<T> first;
    for (int threads : {1, 2, 3}) {
      set_num_threads(threads);
      const Arrays<T> results = compute();
      if (threads == 1) first = results;
      check(results.size() == expected.size(), where + ": number of results");
      for (size_t i = 0; i < results.size(); ++i) {
        const std::string which = where + ", result " + std::to_string(i);
        double largest = 1;  // the size of the arguments: what cancels was that large
        for (double value : expected[i]) largest = std::fmax(largest, std::abs(value));
        if (threads == 1) check_close(results[i], expected[i], tolerance, largest, which);
        check_same_bits(results[i], first[i], which + ", " + std::to_string(threads) + " threads");
      }
    }
  }
  set_isa(before);
  set_num_threads(threads_before);
}

}  // namespace weft::test
