// Recurrent layers, forward and backward: one call for a whole batch of sequences.
//
// Cells: "rnn_tanh", "rnn_relu", "lstm", "lstm_peephole", "lstm_coupled", "lstm_coupled_peephole", "gru",
// "gru_reset_before". The equations are in cpp/kernels/recurrent/cells and in help(weftnn.nn.LSTM), GRU and
// RNN.
//
// Shapes: T time, B batch, I input, H hidden units, G the cell's gates (in PyTorch's order: i f g o; r z n),
// P the width of the state h (H, or with a projection the rows of w_proj), E the cell's weights per unit (3
// for peepholes, else 0). The last axis of every view is contiguous; the other axes may have any strides. The
// template's T is float or double, the same for all arrays.
//
// Nothing is allocated: ask recurrent_sizes(), then provide 64-byte aligned memory. Where arguments.threads
// is 0, the number of threads may not change between the two. Forward writes to `saved` what its backward
// calls need, any number of them. It does not copy the arguments, which must not change in between. Results
// are the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// The arguments of forward, which backward takes again. An optional view is left out as {}; `optional: zero`
/// says what stands for it. All views are only read; they may alias each other, but nothing that a call
/// writes.
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
  View<const T, 3> recurrent_dropout_mask;  ///< [B, T, P] optional: a factor of h in w_hh h
  View<const T, 3> zoneout_mask;            ///< [B, T, P] optional: h = m h_prev + (1 - m) h
  bool reverse = false;                     ///< from each row's last valid step to its first
  int64_t checkpoint_every = 0;             ///< k > 0: save every k-th state, recompute the others
  int threads = 0;                          ///< the most to use; 0: num_threads()
  /// An isa_place(), for sizes and calls. -1: a call takes the one in use, and sizes suffice for any.
  int isa = -1;
  const char* operation = "recurrent";  ///< how errors name the call
};

/// Written by forward.
template <class T>
struct RecurrentResults {
  View<T, 3> y;         ///< [B, T, P] zero past a row's end
  View<T, 2> h_n, c_n;  ///< [B, P], [B, H]: the last valid state; c_n for cells with a second state only
};

/// Gradients. dy, dh_n and dc_n are read (optional: zero). dx (optional), dh0 and dc0 are overwritten. The
/// gradients of the weights are added to; each is required where its weight was given.
template <class T>
struct RecurrentGradientViews {
  View<const T, 3> dy;
  View<const T, 2> dh_n, dc_n;
  View<T, 3> dx;
  View<T, 2> dw_ih, dw_hh;
  View<T, 1> db_ih, db_hh;
  View<T, 2> dh0, dc0, dextra, dw_proj;
};

/// How many bytes of memory calls need.
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

/// Checks every argument. Throws std::invalid_argument, which names operation, argument, and expected and
/// actual shape or value.
template <class T>
WEFT_API RecurrentSizes recurrent_sizes(const std::string& cell, const RecurrentArguments<T>& arguments,
                                        bool training);

/// `saved` is null in inference. Throws what recurrent_sizes throws, before it writes anything.
template <class T>
WEFT_API void recurrent_forward(const std::string& cell, const RecurrentArguments<T>& arguments,
                                const RecurrentResults<T>& results, void* saved, void* workspace);

/// Bytes of workspace that backward needs for `saved`, whichever threads or instruction set are set now.
template <class T>
WEFT_API size_t recurrent_backward_workspace(const std::string& cell, const RecurrentArguments<T>& arguments,
                                             const void* saved);

/// `saved` is what forward wrote for the same cell and arguments. Lengths are read from it.
template <class T>
WEFT_API void recurrent_backward(const std::string& cell, const RecurrentArguments<T>& arguments,
                                 const RecurrentGradientViews<T>& gradients, const void* saved,
                                 void* workspace);

/// Independent calls of one cell, such as the two directions of a layer. They run at the same time if each is
/// worth a thread, so arguments.threads of each is its share of the threads. What one call writes, no other
/// may read or write.
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
