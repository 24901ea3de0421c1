// Long short-term memory, with its variants.
//
//   i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i + p_i c_{t-1})
//   f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f + p_f c_{t-1})        coupled: f_t = 1 - i_t
//   g_t = tanh   (W_g x_t + U_g h_{t-1} + b_g)
//   c_t = f_t c_{t-1} + i_t g_t
//   o_t = sigmoid(W_o x_t + U_o h_{t-1} + b_o + p_o c_t)
//   h_t = o_t tanh(c_t)
//
// Gates i f g o (coupled: i g o, since f then has no weights). Peepholes p are rows i f o of `extra`. The driver
// multiplies h_t by w_proj where there is one. Saved: the gates; c_t is recomputed from them.
//
// Sources: Hochreiter & Schmidhuber 1997; Gers, Schraudolph & Schmidhuber 2002 (peepholes); Sak, Senior &
// Beaufays 2014 (projection); Greff et al. 2017 (coupled).
#pragma once

#include "kernels/recurrent/cells/cell.hpp"

namespace weft::WEFT_ISA {

template <bool Coupled, bool Peephole>
struct LSTMCell {
  static constexpr int I = 0, F = 1, G = Coupled ? 1 : 2, O = Coupled ? 2 : 3;
  static constexpr CellInfo info = {.name = Coupled    ? Peephole ? "lstm_coupled_peephole" : "lstm_coupled"
                                            : Peephole ? "lstm_peephole"
                                                       : "lstm",
                                    .gates = Coupled ? 3 : 4,
                                    .extra = Peephole ? "w_peephole" : nullptr,
                                    .extras = Peephole ? 3 : 0,
                                    .has_c = true,
                                    .takes_projection = true};
  static constexpr int PI = 0, PF = 1, PO = 2;  // rows of the peepholes

  template <int Stage, class T>
  static void forward(const ForwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t r, int64_t u) {
      const auto sum = [&](int g) { return load(t.sum.at(r, g, u)); };
      const auto peephole = [&](int row) { return load(t.extra.at(0, row, u)); };
      const Vec<T> c_prev = load(t.c_prev.at(r, u));
      Vec<T> a_i = sum(I), a_o = sum(O);
      if constexpr (Peephole) a_i = fma(peephole(PI), c_prev, a_i);
      const Vec<T> i = sigmoid<T>(a_i), g = tanh(sum(G));
      Vec<T> f;
      if constexpr (Coupled) {
        f = one - i;
      } else {
        Vec<T> a_f = sum(F);
        if constexpr (Peephole) a_f = fma(peephole(PF), c_prev, a_f);
        f = sigmoid<T>(a_f);
      }
      const Vec<T> c = fma(f, c_prev, i * g);
      if constexpr (Peephole) a_o = fma(peephole(PO), c, a_o);
      const Vec<T> o = sigmoid<T>(a_o);
      store(t.c.at(r, u), c);
      store(t.h.at(r, u), o * tanh(c));
      if (t.saved.data) {
        store(t.saved.at(r, I, u), i);
        if constexpr (!Coupled) store(t.saved.at(r, F, u), f);
        store(t.saved.at(r, G, u), g);
        store(t.saved.at(r, O, u), o);
      }
    });
  }

  template <int Stage, class T>
  static void backward(const BackwardTile<T>& t) {
    const Vec<T> one = broadcast(T(1));
    for_each_unit<T>(t.rows, t.units, [&](int64_t r, int64_t u) {
      const auto peephole = [&](int row) { return load(t.extra.at(0, row, u)); };
      const Vec<T> i = load(t.saved.at(r, I, u)), g = load(t.saved.at(r, G, u)),
                   o = load(t.saved.at(r, O, u));
      const Vec<T> f = Coupled ? one - i : load(t.saved.at(r, F, u));
      const Vec<T> c_prev = load(t.c_prev.at(r, u)), dh = load(t.dh.at(r, u));
      const Vec<T> tanh_c = tanh(fma(f, c_prev, i * g));
      // h = o tanh(c)
      const Vec<T> d_o = dh * tanh_c * o * (one - o);
      Vec<T> dc = load(t.dc.at(r, u)) + dh * o * (one - tanh_c * tanh_c);
      if constexpr (Peephole) dc = fma(d_o, peephole(PO), dc);
      // c = f c_prev + i g
      const Vec<T> d_i = dc * (Coupled ? g - c_prev : g) * i * (one - i);
      const Vec<T> d_g = dc * i * (one - g * g);
      Vec<T> dc_prev = dc * f;
      if constexpr (Peephole) dc_prev = fma(d_i, peephole(PI), dc_prev);
      if constexpr (!Coupled) {
        const Vec<T> d_f = dc * c_prev * f * (one - f);
        if constexpr (Peephole) dc_prev = fma(d_f, peephole(PF), dc_prev);
        store(t.deltas.at(r, F, u), d_f);
      }
      store(t.deltas.at(r, I, u), d_i);
      store(t.deltas.at(r, G, u), d_g);
      store(t.deltas.at(r, O, u), d_o);
      store(t.dc.at(r, u), dc_prev);
    });
  }

  /// dp_i += d_i c_prev, dp_f += d_f c_prev, dp_o += d_o c over the tile's rows; `dextra` has rows of
  /// `extra_row`.
  template <class T>
  static void extra_gradient(const BackwardTile<T>& t, T* dextra, int64_t extra_row)
    requires Peephole
  {
    for (int64_t u = 0; u < t.units; u += lanes<T>) {
      Vec<T> sum[3];
      for (int p = 0; p < 3; ++p) sum[p] = load(dextra + p * extra_row + u);
      for (int64_t r = 0; r < t.rows; ++r) {
        const Vec<T> i = load(t.saved.at(r, I, u)), g = load(t.saved.at(r, G, u));
        const Vec<T> f = Coupled ? broadcast(T(1)) - i : load(t.saved.at(r, F, u));
        const Vec<T> c_prev = load(t.c_prev.at(r, u)), c = fma(f, c_prev, i * g);
        sum[PI] = fma(load(t.deltas.at(r, I, u)), c_prev, sum[PI]);
        if constexpr (!Coupled) sum[PF] = fma(load(t.deltas.at(r, F, u)), c_prev, sum[PF]);
        sum[PO] = fma(load(t.deltas.at(r, O, u)), c, sum[PO]);
      }
      for (int p = 0; p < 3; ++p) store(dextra + p * extra_row + u, sum[p]);
    }
  }
};

}  // namespace weft::WEFT_ISA
