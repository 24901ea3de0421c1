// Gated recurrent unit, in its two forms.
//
//   r_t = sigmoid(W_r x_t + b_ir + U_r h_{t-1} + b_hr)
//   z_t = sigmoid(W_z x_t + b_iz + U_z h_{t-1} + b_hz)
//   n_t = tanh(W_n x_t + b_in + r_t (U_n h_{t-1} + b_hn))      reset after the product: PyTorch, cuDNN
//   n_t = tanh(W_n x_t + b_in + U_n (r_t h_{t-1}) + b_hn)      reset before it: the paper's form
//   h_t = (1 - z_t) n_t + z_t h_{t-1}
//
// Gates r z n. Sources: Cho et al. 2014; reset after: Chung et al. 2014.
#pragma once

#include "kernels/recurrent/cells/cell.hpp"

namespace weft::WEFT_ISA {

/// Reset after the product. Saved: r z n and q = U_n h + b_hn. Slots n_x r z n_h: the input's gradient is the
/// first three, the recurrent one the last three.
struct GRUCell {
  static constexpr CellInfo info = {.name = "gru",
                                    .gates = 3,
                                    .joint = false,
                                    .saved = 4,
                                    .slots = 4,
                                    .hidden_slot = 1,
                                    .input_gate = {2, 0, 1},
                                    .has_direct = true};

  template <int Stage, class T>
  static void forward(const ForwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t row, int64_t u) {
      const auto input = [&](int g) { return load(t.input.at(row, g, u)); };
      const auto hidden = [&](int g) { return load(t.sum.at(row, g, u)); };
      const Vec<T> r = sigmoid<T>(input(0) + hidden(0)), z = sigmoid<T>(input(1) + hidden(1));
      const Vec<T> q = hidden(2), n = tanh(fma(r, q, input(2)));
      store(t.h.at(row, u), fma(z, load(t.h_prev.at(row, u)), (one - z) * n));
      if (t.saved.data) {
        store(t.saved.at(row, 0, u), r);
        store(t.saved.at(row, 1, u), z);
        store(t.saved.at(row, 2, u), n);
        store(t.saved.at(row, 3, u), q);
      }
    });
  }

  template <int Stage, class T>
  static void backward(const BackwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t row, int64_t u) {
      const auto saved = [&](int g) { return load(t.saved.at(row, g, u)); };
      const Vec<T> r = saved(0), z = saved(1), n = saved(2), q = saved(3);
      const Vec<T> dh = load(t.dh.at(row, u)), h_prev = load(t.h_prev.at(row, u));
      // h = (1 - z) n + z h_prev
      const Vec<T> d_z = dh * (h_prev - n) * z * (one - z);
      const Vec<T> d_n = dh * (one - z) * (one - n * n);
      store(t.direct.at(row, u), fma(dh, z, load(t.direct.at(row, u))));
      // n = tanh(a_n + r q)
      store(t.deltas.at(row, 0, u), d_n);
      store(t.deltas.at(row, 1, u), d_n * q * r * (one - r));
      store(t.deltas.at(row, 2, u), d_z);
      store(t.deltas.at(row, 3, u), d_n * r);
    });
  }
};

/// Reset before the product: two stages, r and z first, then n on the operand r h. Saved: r z n.
struct GRUResetBeforeCell {
  static constexpr CellInfo info = {
      .name = "gru_reset_before", .gates = 3, .stages = 2, .stage_gates = {2, 1}, .has_direct = true};

  template <int Stage, class T>
  static void forward(const ForwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t row, int64_t u) {
      if constexpr (Stage == 0) {
        const Vec<T> r = sigmoid<T>(load(t.sum.at(row, 0, u)));
        const Vec<T> z = sigmoid<T>(load(t.sum.at(row, 1, u)));
        store(t.saved.at(row, 0, u), r);
        store(t.saved.at(row, 1, u), z);
        store(t.inner.at(row, u), r * load(t.operand.at(row, u)));
      } else {
        const Vec<T> n = tanh(load(t.sum.at(row, 0, u)));
        const Vec<T> z = load(t.saved.at(row, 1, u));
        store(t.saved.at(row, 2, u), n);
        store(t.h.at(row, u), fma(z, load(t.h_prev.at(row, u)), (one - z) * n));
      }
    });
  }

  template <int Stage, class T>
  static void backward(const BackwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t row, int64_t u) {
      const Vec<T> r = load(t.saved.at(row, 0, u)), z = load(t.saved.at(row, 1, u)),
                   n = load(t.saved.at(row, 2, u));
      if constexpr (Stage == 1) {  // h = (1 - z) n + z h_prev
        const Vec<T> dh = load(t.dh.at(row, u)), h_prev = load(t.h_prev.at(row, u));
        store(t.deltas.at(row, 1, u), dh * (h_prev - n) * z * (one - z));
        store(t.deltas.at(row, 2, u), dh * (one - z) * (one - n * n));
        store(t.direct.at(row, u), fma(dh, z, load(t.direct.at(row, u))));
      } else {  // inner = r operand
        const Vec<T> d_inner = load(t.d_inner.at(row, u)), operand = load(t.operand.at(row, u));
        store(t.inner.at(row, u), r * operand);
        store(t.deltas.at(row, 0, u), d_inner * operand * r * (one - r));
        store(t.d_operand.at(row, u), d_inner * r);
      }
    });
  }
};

}  // namespace weft::WEFT_ISA
