// The contract of a cell: what it declares, what its maths is given, and what it must leave.
//
//   struct NameCell {
//     static constexpr CellInfo info = {.name = "name", .gates = 4, ...};        weft/cell_info.hpp
//     template <int Stage, class T> static void forward(const ForwardTile<T>&);    the new states, `saved`
//     template <int Stage, class T> static void backward(const BackwardTile<T>&);  `deltas`, and dL/dc_prev
//     template <class T> static void extra_gradient(const BackwardTile<T>&, T* dextra, int64_t extra_row);
//   };
//
// All are pointwise: a cell is given a tile of rows (batch) x units (hidden) at one step, and knows neither
// time nor products nor threads. Pointers are at the tile's first row and unit; `units` is a multiple of the
// vector's lanes, since every row is padded with zeros to whole vectors. So cells need no tails.
//
// Stage is 0, or in cells of two stages 0 and then 1; backward takes them the other way round. Only cells
// that have weights of their own have an extra_gradient: it adds the sum over the tile's rows to rows of
// dextra.
#pragma once

#include "kernels/simd/isa.hpp"
#include "kernels/simd/math.hpp"
#include "weft/cell_info.hpp"

namespace weft::WEFT_ISA {

/// A tile of several gates (or other per-unit values): (row, gate, unit) at data[row * row_stride + gate *
/// gate_stride].
template <class T>
struct Gates {
  T* data;
  int64_t row, gate;
  T* at(int64_t r, int g, int64_t u) const { return data + r * row + g * gate + u; }
};
template <class T>
struct Units {
  T* data;
  int64_t row;
  T* at(int64_t r, int64_t u) const { return data + r * row + u; }
};

template <class T>
struct ForwardTile {
  int64_t rows, units;
  Gates<const T> sum;    ///< W_hh (operand) + b_hh, the gates of this stage; + W_ih x + b_ih in a joint cell
  Gates<const T> input;  ///< W_ih x + b_ih, all gates; not in a joint cell
  Gates<const T> extra;  ///< the cell's own weights, row stride 0
  Units<const T> h_prev, c_prev;
  Units<const T> operand;  ///< h_prev as it enters the product (under recurrent dropout)
  Units<T> h, c;           ///< out: in the last stage
  Units<T> inner;          ///< out of stage 0, where there is a stage 1: its operand
  Gates<T> saved;          ///< out, for backward; data is null in inference of a cell of one stage
};

template <class T>
struct BackwardTile {
  int64_t rows, units;
  Units<const T> dh;  ///< dL/dh
  Units<T> dc;        ///< in: dL/dc, out: dL/dc_prev
  Gates<const T> saved;
  Gates<const T> extra;
  Units<const T> h_prev, c_prev, operand;
  Gates<T> deltas;         ///< out: dL/d(pre-activations), in the cell's slots
  Units<T> direct;         ///< accumulated: dL/dh_prev that does not pass through the product
  Units<const T> d_inner;  ///< in stage 0, where there is a stage 1: dL/d(inner)
  Units<T> inner;          ///< out of stage 0 there: stage 1's operand, once more
  Units<T> d_operand;  ///< out of stage 0 there: dL/d(operand) that does not pass through stage 0's product
};

template <class T, class Body>
inline void for_each_unit(int64_t rows, int64_t units, Body body) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t u = 0; u < units; u += lanes<T>) body(r, u);
}

/// Do a cell's counts fit each other?
constexpr bool is_sound(const CellInfo& c) {
  const auto fits = [&](int slot, const int* gate_of) {  // each gate once, in its own stage
    unsigned seen = 0;
    for (int i = 0; i < c.gates; ++i) {
      if (gate_of[i] < 0 || gate_of[i] >= c.gates) return false;
      if ((i < c.stage_gates[0]) != (gate_of[i] < c.stage_gates[0])) return false;
      seen |= 1u << gate_of[i];
    }
    return slot >= 0 && slot + c.gates <= c.slots && seen == (1u << c.gates) - 1;
  };
  return c.name != nullptr && c.gates >= 1 && c.gates <= CellInfo::most_gates && c.saved >= 0 &&
         (c.stages == 1 || (c.stages == 2 && c.stage_gates[1] > 0)) &&
         c.stage_gates[0] + c.stage_gates[1] == c.gates && (c.extras > 0) == (c.extra != nullptr) &&
         fits(c.input_slot, c.input_gate) && fits(c.hidden_slot, c.hidden_gate);
}

template <class Cell, int Stage>
concept HasStage = requires(const ForwardTile<float>& forward, const BackwardTile<float>& backward) {
  Cell::template forward<Stage>(forward);
  Cell::template backward<Stage>(backward);
};
template <class Cell>
concept HasExtraGradient = requires(const BackwardTile<float>& tile, float* dextra, int64_t extra_row) {
  Cell::extra_gradient(tile, dextra, extra_row);
};
template <class Cell>
concept RecurrentCell = is_sound(Cell::info) && HasStage<Cell, 0> && HasStage<Cell, Cell::info.stages - 1> &&
                        (Cell::info.extras == 0 || HasExtraGradient<Cell>);

/// Vectors of units in a block of a step: about eight vectors of sums over all gates, so that even a single
/// row fills the multiply-add units.
constexpr int block_vectors(const CellInfo& cell) { return cell.gates == 1 ? 8 : cell.gates <= 4 ? 2 : 1; }

/// A cell as the sequence driver calls it, which is compiled once for all cells.
template <class T>
struct CellMaths {
  void (*forward[2])(const ForwardTile<T>&);    ///< by stage
  void (*backward[2])(const BackwardTile<T>&);  ///< by stage
  void (*extra_gradient)(const BackwardTile<T>&, T* dextra, int64_t extra_row);
};

/// Of the cell at that place of the list (cells.cpp).
const CellInfo& cell_info(int place);
template <class T>
const CellMaths<T>& cell_maths(int place);

}  // namespace weft::WEFT_ISA
