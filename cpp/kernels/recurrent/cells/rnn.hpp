// The plain recurrent cell.
//
//   h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        f = tanh or relu
//
// T time, B batch, I input, H hidden; one gate. Saved: h_t before zoneout.
// Source: Elman, "Finding structure in time", 1990.
#pragma once

#include "kernels/recurrent/cells/cell.hpp"

namespace weft::WEFT_ISA {

template <bool Relu>
struct RNNCell {
  static constexpr CellInfo info = {.name = Relu ? "rnn_relu" : "rnn_tanh", .gates = 1};

  template <int Stage, class T>
  static void forward(const ForwardTile<T>& t) {
    for_each_unit<T>(t.rows, t.units, [&](int64_t r, int64_t u) {
      const Vec<T> sum = load(t.sum.at(r, 0, u));
      Vec<T> h;
      if constexpr (Relu)
        h = Eigen::internal::pmax<Eigen::PropagateNaN>(sum, broadcast(T(0)));
      else
        h = tanh(sum);
      store(t.h.at(r, u), h);
      if (t.saved.data) store(t.saved.at(r, 0, u), h);
    });
  }

  // h = f(a)  =>  da = dh f'(a), with f' from h: 1 - h^2 for tanh, [h > 0] for relu
  template <int Stage, class T>
  static void backward(const BackwardTile<T>& t) {
    for_each_unit<T>(t.rows, t.units, [&](int64_t r, int64_t u) {
      const Vec<T> h = load(t.saved.at(r, 0, u)), dh = load(t.dh.at(r, u));
      if constexpr (Relu)
        store(t.deltas.at(r, 0, u),
              Eigen::internal::pselect(Eigen::internal::pcmp_lt(broadcast(T(0)), h), dh, broadcast(T(0))));
      else
        store(t.deltas.at(r, 0, u), dh * (broadcast(T(1)) - h * h));
    });
  }
};

}  // namespace weft::WEFT_ISA
