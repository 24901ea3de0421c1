// The description of a recurrent cell. The cell declares it once (cpp/kernels/recurrent/cells); the sequence
// driver, the checks of arguments, the bindings and the tests read it.
#pragma once

#include "weft/export.h"

namespace weft {

/// G gates, H hidden units. "Of a unit": one value for each row and hidden unit.
struct CellInfo {
  static constexpr int most_gates = 8;

  const char* name;
  int gates;                      ///< G: w_ih and w_hh have G H rows, gate by gate
  const char* extra = nullptr;    ///< the name of the cell's own weights [extras, H]
  int extras = 0;                 ///< the rows of these weights; 0: none
  bool has_c = false;             ///< a second state c [H] besides h
  bool takes_projection = false;  ///< h may be projected, by w_proj [P, H]

  /// True: the maths needs only the sum W_ih x + W_hh h + biases. False: it takes the two products apart.
  bool joint = true;
  /// 2: the gates of the last stage have a recurrent product of their own, whose operand the first stage
  /// computes.
  int stages = 1;
  int stage_gates[2] = {gates, 0};  ///< how many gates each stage has
  int saved = gates;                ///< values of a unit that forward keeps for backward
  /// Values of a unit that backward makes, dL/d(pre-activations): G for the input's product and G for the
  /// recurrent one, which may share some.
  int slots = gates;
  int input_slot = 0, hidden_slot = 0;  ///< where the slots of each product begin
  /// The gate of each of these slots. The gates of a stage are neighbours.
  int input_gate[most_gates] = {0, 1, 2, 3, 4, 5, 6, 7}, hidden_gate[most_gates] = {0, 1, 2, 3, 4, 5, 6, 7};
  bool has_direct = false;  ///< a part of dL/dh_prev does not pass through the recurrent product

  /// The first gate of a stage.
  WEFT_INLINE constexpr int first_gate(int stage) const { return stage == 0 ? 0 : stage_gates[0]; }
};

}  // namespace weft
