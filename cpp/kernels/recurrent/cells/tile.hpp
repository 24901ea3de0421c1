// What a cell is given: a tile of rows (batch) x units (hidden) at one step. Pointers are at the tile's first
// row and unit; `units` is a multiple of the vector's lanes, since the driver pads every row it owns with
// zeros.
#pragma once

#include "kernels/simd/isa.hpp"
#include "kernels/simd/math.hpp"

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
  Units<T> h, c;           ///< out
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

}  // namespace weft::WEFT_ISA
