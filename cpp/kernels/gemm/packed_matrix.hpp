// The right operand of the product: a K x N matrix in panels, vectors of columns.
//
//   panels   element (k, n) at data[n / lanes * panel + k * step + n % lanes]
//   packed   panel after panel (group == lanes: step = lanes, panel = K lanes), or the panels of a group of
//            columns side by side, group after group (step = group, panel = lanes), the last one narrower
//
// A row-major matrix whose rows are padded to whole vectors lies in panels already: {data, row, lanes}.
//
// T is the arithmetic's element type, Weight the stored one. Another type of stored weights is a
// specialization of load_weight and store_weight, and the instantiations of PackedMatrix and of gemm.
#pragma once

#include "kernels/gemm/transpose.hpp"
#include "kernels/memory/arena.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

/// A vector of stored weights, for the arithmetic.
template <class T, class Weight>
inline Vec<T> load_weight(const Weight* p) {
  return load(p);
}
/// And how it is stored, when it is packed.
template <class T, class Weight>
inline void store_weight(Weight* p, const Vec<T>& v) {
  store(p, v);
}

template <class Weight>
struct Panels {
  const Weight* data;
  int64_t step, panel;
};

/// One panel of the matrix whose element (k, n) lies at source[k * k_stride + n], `step` elements from a k to
/// the next; columns from `columns` on are zero.
template <class T, class Weight>
inline void pack_panel(const T* source, int64_t k_stride, int64_t depth, int64_t columns, Weight* panel,
                       int64_t step) {
  if (columns >= lanes<T>)
    for (int64_t k = 0; k < depth; ++k) store_weight<T>(panel + k * step, load(source + k * k_stride));
  else
    for (int64_t k = 0; k < depth; ++k)
      store_weight<T>(panel + k * step, load_partial(source + k * k_stride, columns));
}

/// The same of the matrix whose element (k, n) lies at source[n * n_stride + k], such as a weight [outputs,
/// inputs] in x W^T.
template <class T, class Weight>
inline void pack_panel_transposed(const T* source, int64_t n_stride, int64_t depth, int64_t columns,
                                  Weight* panel, int64_t step) {
  constexpr int width = lanes<T>;
  int64_t k = 0;
  if (columns >= width) {
    for (; k + width <= depth; k += width) {
      for_each_column(source + k, n_stride,
                      [&](int i, const Vec<T>& column) { store_weight<T>(panel + (k + i) * step, column); });
    }
  }
  for (; k < depth; ++k) {
    T column[width] = {};
    for (int64_t i = 0; i < min_of(columns, width); ++i) column[i] = source[i * n_stride + k];
    store_weight<T>(panel + k * step, load(column));
  }
}

/// The matrix's packed form, and whoever writes it. Columns are packed from and to multiples of `lanes`.
template <class T, class Weight = T>
struct PackedMatrix {
  Weight* data;
  int64_t depth, columns;
  int64_t group = lanes<T>;  ///< columns that lie side by side

  static PackedMatrix take(Arena& arena, int64_t depth, int64_t columns, int64_t group = lanes<T>) {
    return {arena.take<Weight>(size(depth, columns)), depth, columns, group};
  }
  /// In elements.
  static constexpr int64_t size(int64_t depth, int64_t columns) {
    return depth * round_up(columns, lanes<T>);
  }

  /// From column n on, a multiple of `lanes`; where panels lie in groups, of the group that begins at
  /// `begin`.
  Panels<Weight> panels(int64_t n = 0, int64_t begin = 0) const {
    if (group == lanes<T>) return {data + n * depth, lanes<T>, depth * lanes<T>};
    return {data + begin * depth + (n - begin), min_of(group, round_up(columns, lanes<T>) - begin), lanes<T>};
  }

  /// Rows `rows` of columns `range`: its first row of `valid` columns lies at `source`, the next k_stride
  /// elements further; the other columns are zero.
  void pack_rows(const T* source, int64_t k_stride, Range rows, Range range, int64_t valid) const;
  void pack_rows(const T* source, int64_t k_stride, Range range, int64_t valid) const {
    pack_rows(source, k_stride, {0, depth}, range, valid);
  }
  /// Columns `range`: the first of `valid` lies at `source`, the next n_stride elements further; the others
  /// are zero.
  void pack_transposed(const T* source, int64_t n_stride, Range range, int64_t valid) const;

 private:
  /// body(i, panel, step) for each panel of columns, the i-th of them on.
  template <class Body>
  void for_each_panel(Range range, const Body& body) const {
    int64_t begin = range.begin / group * group;
    for (int64_t n = range.begin; n < range.end; n += lanes<T>) {
      if (n >= begin + group) begin += group;
      const Panels<Weight> to = panels(n, begin);
      body(n - range.begin, data + (to.data - data), to.step);
    }
  }
};

/// A few rows at a time, so that it stays on few pages where rows are long.
template <class T, class Weight>
void PackedMatrix<T, Weight>::pack_rows(const T* source, int64_t k_stride, Range rows, Range range,
                                        int64_t valid) const {
  constexpr int64_t few = 32;
  for (int64_t k = rows.begin; k < rows.end; k += few, source += few * k_stride)
    for_each_panel(range, [&](int64_t i, Weight* panel, int64_t step) {
      pack_panel(source + i, k_stride, min_of(few, rows.end - k), valid - i, panel + k * step, step);
    });
}

template <class T, class Weight>
void PackedMatrix<T, Weight>::pack_transposed(const T* source, int64_t n_stride, Range range,
                                              int64_t valid) const {
  for_each_panel(range, [&](int64_t i, Weight* panel, int64_t step) {
    pack_panel_transposed(source + i * n_stride, n_stride, depth, valid - i, panel, step);
  });
}

// Compiled once, in gemm.cpp.
extern template struct PackedMatrix<float>;
extern template struct PackedMatrix<double>;

}  // namespace weft::WEFT_ISA
