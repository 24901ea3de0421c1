// All of weft, from C++. One header a family; each can be included alone.
//
//   errors.hpp           what is thrown
//   config.hpp           version, instruction set, threads
//   interruptible.hpp    a way to end a long call early
//   view.hpp             View<T, N>: pointer, shape, strides
//
//   model.hpp            models that Python saved: run over sequences, or stepped in real time
//
//   recurrent.hpp        rnn, lstm, gru and their variants, forward and backward
//   attention.hpp        scaled dot-product attention, likewise
//   additive_scores.hpp  the scores of additive attention
//   dense.hpp            linear, embedding
//   pointwise.hpp        layer normalization, activations, swiglu, rotary positions, dropout
//   loss.hpp             softmax cross-entropy
//   updates.hpp          the optimizers' updates
//
// The kernels allocate nothing. Next to a function that needs a workspace there is one that says how large it
// must be. A wrong argument throws BadArgument before anything is written; only the real-time
// functions of model.hpp return a Status instead. weft.h is the same for C, with a stable ABI.
#pragma once

#include "weft/additive_scores.hpp"
#include "weft/attention.hpp"
#include "weft/config.hpp"
#include "weft/dense.hpp"
#include "weft/errors.hpp"
#include "weft/interruptible.hpp"
#include "weft/loss.hpp"
#include "weft/model.hpp"
#include "weft/pointwise.hpp"
#include "weft/recurrent.hpp"
#include "weft/updates.hpp"
#include "weft/view.hpp"
