// Recurrent layers, forward and backward: one call for a whole batch of sequences.
//
// Cells: "rnn_tanh", "rnn_relu", "lstm", "lstm_peephole", "lstm_coupled", "lstm_coupled_peephole", "gru",
// "gru_reset_before"; the equations are in cpp/kernels/recurrent/cells.
//
// Shapes: T time, B batch, I input, H hidden units, G the cell's gates (in PyTorch's order: i f g o; r z n),
// P the width of the state h: H, or with a projection the rows of w_proj, E the cell's per-unit weights
// (peepholes: 3). Every view's last axis is contiguous, the other axes may have any strides. float or double
// throughout.
//
// Nothing is allocated: ask recurrent_sizes(), bring 64-byte aligned memory; where
// arguments.threads is 0, the number of threads must still be what it was then. `saved` carries what
// backward needs from a forward call to its backward calls (any number of them); it does not copy the
// arguments, which must stay as they were. Results are the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// The arguments of forward, given to backward again. Absent optional views are empty. All are read only and
/// may alias each other, but nothing that a call writes.
template <class T>
struct RecurrentArguments {
  View<const T, 3> x;           ///< [B, T, I]
  View<const T, 2> w_ih;        ///< [G H, I]
  View<const T, 2> w_hh;        ///< [G H, P]
  View<const T, 1> b_ih, b_hh;  ///< [G H] optional
  View<const T, 2> extra;       ///< [E, H] required by cells that have such weights: w_peephole, rows i f o
  View<const T, 2> w_proj;      ///< [P, H] optional, LSTM only
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

/// Bytes to bring.
struct RecurrentSizes {
  size_t saved;               ///< forward in training, backward
  size_t forward_workspace;   ///< forward
  size_t backward_workspace;  ///< backward, on the instruction set now in use
};

/// What a cell is made of.
struct RecurrentCellInfo {
  std::string name;
  int gates, extras;
  bool has_c, takes_projection;
};
WEFT_API std::vector<RecurrentCellInfo> recurrent_cells();

/// Checks every argument. Throws BadArgument: operation, argument, expected and actual shape or
/// value.
template <class T>
WEFT_API RecurrentSizes recurrent_sizes(const std::string& cell, const RecurrentArguments<T>& arguments,
                                        bool training);

/// `saved` is null in inference. Throws as recurrent_sizes does, before anything is written.
template <class T>
WEFT_API void recurrent_forward(const std::string& cell, const RecurrentArguments<T>& arguments,
                                const RecurrentResults<T>& results, void* saved, void* workspace);

/// Bytes of workspace for the backward of what forward left in `saved`, whatever has been set since.
template <class T>
WEFT_API size_t recurrent_backward_workspace(const std::string& cell, const RecurrentArguments<T>& arguments,
                                             const void* saved);

/// `saved` is what a forward call with the same cell and arguments left; lengths are read from it.
template <class T>
WEFT_API void recurrent_backward(const std::string& cell, const RecurrentArguments<T>& arguments,
                                 const RecurrentGradientViews<T>& gradients, const void* saved,
                                 void* workspace);

/// Calls of one cell that have nothing to do with each other, such as both directions of a layer. They run
/// side by side where each is worth a thread, so give each its share in arguments.threads. What one call
/// writes no other may touch.
template <class T>
struct RecurrentForwardCall {
  RecurrentArguments<T> arguments;
  RecurrentResults<T> results;
  void *saved, *workspace;
};
template <class T>
WEFT_API void recurrent_forward(const std::string& cell, std::span<const RecurrentForwardCall<T>> calls);

template <class T>
struct RecurrentBackwardCall {
  RecurrentArguments<T> arguments;
  RecurrentGradientViews<T> gradients;
  const void* saved;
  void* workspace;
};
template <class T>
WEFT_API void recurrent_backward(const std::string& cell, std::span<const RecurrentBackwardCall<T>> calls);

}  // namespace weft
