// The cells. A new one is its own header and a line here.
#pragma once

#include "kernels/recurrent/cells/gru.hpp"
#include "kernels/recurrent/cells/lstm.hpp"
#include "kernels/recurrent/cells/rnn.hpp"

namespace weft::WEFT_ISA {

template <RecurrentCell... Cell>
struct CellList {
  static constexpr int count = sizeof...(Cell);
  static constexpr CellInfo infos[] = {Cell::info...};
};

using Cells = CellList<RNNCell<false>, RNNCell<true>,                                         //
                       LSTMCell<false, false>, LSTMCell<false, true>, LSTMCell<true, false>,  //
                       LSTMCell<true, true>,                                                  //
                       GRUCell, GRUResetBeforeCell>;

}  // namespace weft::WEFT_ISA
