// A call of the recurrent family, in structs: what the functions of weft/recurrent.hpp and the kernels behind
// them are given.
//
// Shapes: T time, B batch, I input, H hidden units, G the cell's gates (in PyTorch's order: i f g o; r z n),
// P the width of the state h: H, or with a projection the rows of w_proj, E the rows of the cell's own
// weights (peepholes: 3). Every view's last axis is contiguous, the other axes may have any strides. float or
// double throughout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/cell_info.hpp"
#include "weft/view.hpp"

namespace weft {

/// The arguments of forward, given to backward again. Absent optional views are empty. All are read only and
/// may alias each other, but nothing that a call writes.
template <class T>
struct RecurrentArguments {
  const char* cell = nullptr;   ///< a name of recurrent_cells(), required
  View<const T, 3> x;           ///< [B, T, I]
  View<const T, 2> w_ih;        ///< [G H, I]
  View<const T, 2> w_hh;        ///< [G H, P]
  View<const T, 1> b_ih, b_hh;  ///< [G H] optional
  View<const T, 2> extra;       ///< [E, H] required by cells that have weights of their own, CellInfo::extra
  View<const T, 2> w_proj;      ///< [P, H] optional, for cells that take a projection
  View<const T, 2> h0;          ///< [B, P] optional: zero
  View<const T, 2> c0;          ///< [B, H] optional: zero; cells with a second state only
  View<const int64_t, 1> lengths;           ///< [B] optional: T; in 0..T, any order
  View<const bool, 2> resets;               ///< [B, T] optional: the state is zeroed before that step
  View<const T, 3> recurrent_dropout_mask;  ///< [B, T, P] optional: multiplies h where it enters the product
  View<const T, 3> zoneout_mask;            ///< [B, T, P] optional: h = m h_prev + (1 - m) h
  bool reverse = false;                     ///< from each row's last valid step to its first
  int64_t checkpoint_every = 0;             ///< k > 0: save the states of every k-th step only
  int threads = 0;                          ///< at most so many; 0: num_threads()
  int isa = -1;  ///< for sizes and call, an isa_place(); -1: that in use by then, and sizes that serve any
  const char* operation = "recurrent";  ///< how errors name the call
};

/// Written by forward.
template <class T>
struct RecurrentResults {
  View<T, 3> y;         ///< [B, T, P] zero past a row's end
  View<T, 2> h_n, c_n;  ///< [B, P], [B, H]: the last valid state; c_n for cells with a second state only
};

/// Gradients: dy, dh_n, dc_n are read (optional: zero); dx (optional), dh0, dc0 are overwritten; the
/// gradients of the weights are added to, each required where its weight was given.
template <class T>
struct RecurrentGradientViews {
  View<const T, 3> dy;
  View<const T, 2> dh_n, dc_n;
  View<T, 3> dx;
  View<T, 2> dw_ih, dw_hh;
  View<T, 1> db_ih, db_hh;
  View<T, 2> dh0, dc0, dextra, dw_proj;
};

/// `saved` is written in training, null in inference.
template <class T>
struct RecurrentForwardCall {
  RecurrentArguments<T> arguments;
  RecurrentResults<T> results;
  void *saved, *workspace;
};

/// `saved` is what a forward call with the same arguments left; lengths are read from it.
template <class T>
struct RecurrentBackwardCall {
  RecurrentArguments<T> arguments;
  RecurrentGradientViews<T> gradients;
  const void* saved;
  void* workspace;
};

/// Bytes to bring.
struct RecurrentSizes {
  size_t saved;               ///< forward in training, backward
  size_t forward_workspace;   ///< forward
  size_t backward_workspace;  ///< backward, on the instruction set now in use
};

}  // namespace weft
