// The sequence driver, forward, where a call has one step of few rows, as a cell called in a loop has:
// packing the weights would take longer than the products. So they are used where the caller has them, by the
// products of small_m_product.hpp, a gate of a block of units at a time.
//
// The sums over k run in the order of the packed products: bits are those of longer sequences and larger
// batches.
#pragma once

#include "kernels/recurrent/sequence.hpp"

namespace weft::WEFT_ISA {

/// The left operand of a product by W^T, and the rows of W it meets.
template <class T>
struct InPlaceOperand {
  Rows<T> rows;
  PackedMatrix<T> turned;  ///< its transpose, where rows are more than few
  int64_t depth;
  const T* weight;
  int64_t weight_row;
};

/// One thread's memory for it.
template <class T>
struct InPlaceProducts {
  using G = Geometry<T>;

  T *inputs = nullptr, *operand = nullptr, *sums = nullptr;  ///< transposed

  static InPlaceProducts take(Arena& arena, const G& g) {
    if (!g.forward_in_place() || g.problem.batch <= few_rows) return {};
    const int64_t wide = round_up(g.problem.batch, lanes<T>);
    return {arena.take<T>(g.problem.input * wide), arena.take<T>(g.problem.state * wide),
            arena.take<T>(g.block * wide)};
  }

  /// Operands with all of their weights.
  InPlaceOperand<T> input(const G& g, int64_t rows, Rows<T> x) const {
    const auto& w = g.arguments.w_ih;
    return prepared(rows, {x, {inputs, g.problem.input, rows}, g.problem.input, w.data, w.stride[0]});
  }
  InPlaceOperand<T> state(const G& g, int64_t rows, Rows<T> h) const {
    const auto& w = g.arguments.w_hh;
    return prepared(rows, {h, {operand, g.problem.state, rows}, g.problem.state, w.data, w.stride[0]});
  }

  /// The pre-activations of a block, gates [first_gate, first_gate + gates) of `count` units from `unit` on:
  /// `sum`, and where the cell is not joint the inputs' part in `in`. Rows of both lie gates * count apart.
  void block(const G& g, int64_t rows, int64_t unit, int64_t count, int first_gate, int gates, const T* b_ih,
             const T* b_hh, const InPlaceOperand<T>& x, const InPlaceOperand<T>& h, T* in, T* sum) const {
    const RecurrentProblem<T>& p = g.problem;
    const int64_t valid = min_of(count, p.hidden - unit), row = gates * count;
    for (int gate = 0; gate < gates; ++gate) {
      const int64_t w = (first_gate + gate) * p.hidden + unit, to = gate * count;
      const int64_t bias = (first_gate + gate) * count;
      if (g.cell.joint) {
        product(rows, valid, w, b_ih + bias, x, &h, sum + to, row);
      } else {
        product(rows, valid, w, b_ih + bias, x, nullptr, in + to, row);
        product(rows, valid, w, b_hh + bias, h, nullptr, sum + to, row);
      }
      for (int64_t r = 0; r < rows && valid < count; ++r) {
        zero_row(sum + r * row + to, {valid, count});
        if (!g.cell.joint) zero_row(in + r * row + to, {valid, count});
      }
    }
  }

 private:
  static InPlaceOperand<T> prepared(int64_t rows, const InPlaceOperand<T>& a) {
    if (rows > few_rows)
      a.turned.pack_transposed(a.rows.data, a.rows.row, {0, round_up(rows, lanes<T>)}, rows);
    return a;
  }

  /// C = bias + A W^T (+ B V^T) by `count` rows of the weights, from row `w` on.
  void product(int64_t rows, int64_t count, int64_t w, const T* bias, const InPlaceOperand<T>& a,
               const InPlaceOperand<T>* b, T* c, int64_t c_row) const {
    if (rows <= few_rows) {
      const auto add = [&](const InPlaceOperand<T>& o, Epilogue<T> init) {
        small_m_product<T>(rows, {0, count}, o.depth, o.rows.data, o.rows.row, o.weight + w * o.weight_row,
                           o.weight_row, init, c, c_row);
      };
      add(a, {bias, 0});
      if (b != nullptr) add(*b, {c, c_row});
    } else {
      const int64_t wide = round_up(rows, lanes<T>);
      const auto add = [&](const InPlaceOperand<T>& o) {
        gemm<T>(count, wide, o.depth, {o.weight + w * o.weight_row, o.weight_row, 1}, o.turned.panels(),
                {sums, wide}, sums, wide);
      };
      start_transposed(count, wide, bias, sums);
      add(a);
      if (b != nullptr) add(*b);
      transpose_back(rows, count, wide, sums, c, c_row);
    }
  }
};

}  // namespace weft::WEFT_ISA
