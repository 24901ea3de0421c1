// What the recurrent cells mean: one unit, one row, one step at a time, on scalars that may be complex.
//
// With an input moved by i h along the imaginary axis the imaginary part of the result, divided by h, is its
// derivative without any cancellation (Squire & Trapp 1998), so these lines specify the backward pass as
// well.
//
// Shapes as in weft/recurrent.hpp: T time, B batch, I input, H hidden, P width of h, G gates, E per-unit
// weights.
#pragma once

#include <complex>
#include <utility>
#include <vector>

#include "recurrent_problem.hpp"

namespace weft::test {

template <class S>
S sigmoid(S x) {
  return 1.0 / (1.0 + std::exp(-x));
}
template <class S>
S relu(S x) {
  return std::real(x) > 0 ? x : S(0);
}

/// One row's states, and the sums of one unit's gate.
template <class S>
struct Cell {
  const Problem& p;
  const Tensors<S>& t;

  S input(int64_t gate, int64_t unit, const S* x) const {
    const int64_t row = gate * p.H + unit;
    S sum = t[B_IH].empty() ? S(0) : t[B_IH][row];
    for (int64_t i = 0; i < p.I; ++i) sum += t[W_IH][row * p.I + i] * x[i];
    return sum;
  }
  S hidden(int64_t gate, int64_t unit, const std::vector<S>& h) const {
    const int64_t row = gate * p.H + unit;
    S sum = t[B_HH].empty() ? S(0) : t[B_HH][row];
    for (int64_t i = 0; i < p.P; ++i) sum += t[W_HH][row * p.P + i] * h[i];
    return sum;
  }
  S peephole(int64_t gate, int64_t unit) const { return p.extras == 0 ? S(0) : t[EXTRA][gate * p.H + unit]; }

  /// (h, c) of the next step; `masked` is h as the recurrent product sees it.
  std::pair<std::vector<S>, std::vector<S>> step(const S* x, const std::vector<S>& masked,
                                                 const std::vector<S>& h, const std::vector<S>& c) const {
    std::vector<S> new_h(p.H), new_c(c);
    const auto sum = [&](int64_t gate, int64_t unit) {
      return input(gate, unit, x) + hidden(gate, unit, masked);
    };
    if (p.cell == "rnn_tanh" || p.cell == "rnn_relu") {
      for (int64_t u = 0; u < p.H; ++u)
        new_h[u] = p.cell == "rnn_tanh" ? std::tanh(sum(0, u)) : relu(sum(0, u));
    } else if (p.cell == "gru" || p.cell == "gru_reset_before") {
      std::vector<S> reset(p.H), reset_h(p.H);
      for (int64_t u = 0; u < p.H; ++u) reset[u] = sigmoid(sum(0, u)), reset_h[u] = reset[u] * masked[u];
      for (int64_t u = 0; u < p.H; ++u) {
        const S z = sigmoid(sum(1, u));
        const S recurrent = p.cell == "gru" ? reset[u] * hidden(2, u, masked) : hidden(2, u, reset_h);
        new_h[u] = (1.0 - z) * std::tanh(input(2, u, x) + recurrent) + z * h[u];
      }
    } else {
      const bool coupled = p.gates == 3;
      for (int64_t u = 0; u < p.H; ++u) {
        const S i = sigmoid(sum(0, u) + peephole(0, u) * c[u]);
        const S f = coupled ? 1.0 - i : sigmoid(sum(1, u) + peephole(1, u) * c[u]);
        new_c[u] = f * c[u] + i * std::tanh(sum(p.gates - 2, u));
        new_h[u] = sigmoid(sum(p.gates - 1, u) + peephole(2, u) * new_c[u]) * std::tanh(new_c[u]);
      }
    }
    if (t[W_PROJ].empty()) return {new_h, new_c};
    std::vector<S> projected(p.P);
    for (int64_t i = 0; i < p.P; ++i)
      for (int64_t u = 0; u < p.H; ++u) projected[i] += t[W_PROJ][i * p.H + u] * new_h[u];
    return {projected, new_c};
  }
};

/// The cells that step() knows; a new one may be tested from Python alone, where the table of cases has its
/// reference.
inline std::vector<RecurrentCellInfo> referenced_cells() {
  std::vector<RecurrentCellInfo> cells;
  for (const auto& cell : recurrent_cells())
    for (const char* known : {"rnn_tanh", "rnn_relu", "gru", "gru_reset_before", "lstm", "lstm_peephole",
                              "lstm_coupled", "lstm_coupled_peephole"})
      if (cell.name == known) cells.push_back(cell);
  return cells;
}

template <class S>
Outcome<S> reference(const Problem& p, const Tensors<S>& t) {
  Outcome<S> out{std::vector<S>(p.B * p.T * p.P), {}, {}};
  for (int64_t b = 0; b < p.B; ++b) {
    std::vector<S> h(p.P), c(p.has_c ? p.H : 0);
    if (!t[H0].empty()) h.assign(&t[H0][b * p.P], &t[H0][b * p.P] + p.P);
    if (!t[C0].empty()) c.assign(&t[C0][b * p.H], &t[C0][b * p.H] + p.H);
    const int64_t length = p.lengths.empty() ? p.T : p.lengths[b];
    for (int64_t s = 0; s < length; ++s) {
      const int64_t at = b * p.T + (p.reverse ? length - 1 - s : s);
      if (!p.resets.empty() && p.resets[at]) h.assign(h.size(), S(0)), c.assign(c.size(), S(0));
      std::vector<S> masked = h;
      for (int64_t i = 0; i < p.P && !p.dropout.empty(); ++i) masked[i] *= p.dropout[at * p.P + i];
      auto [new_h, new_c] = Cell<S>{p, t}.step(t[X].data() + at * p.I, masked, h, c);
      for (int64_t i = 0; i < p.P && !p.zoneout.empty(); ++i) {
        const double m = p.zoneout[at * p.P + i];
        new_h[i] = m * h[i] + (1.0 - m) * new_h[i];
      }
      h = new_h, c = new_c;
      for (int64_t i = 0; i < p.P; ++i) out.y[at * p.P + i] = h[i];
    }
    out.h_n.insert(out.h_n.end(), h.begin(), h.end());
    out.c_n.insert(out.c_n.end(), c.begin(), c.end());
  }
  return out;
}

/// The derivative of sum(dy y) + sum(dh_n h_n) + sum(dc_n c_n) when `tensor` moves along `direction`.
inline double derivative(const Problem& p, const Outcome<double>& gradients, Tensor tensor,
                         const std::vector<double>& direction) {
  constexpr double h = 1e-100;  // its square underflows: nothing is lost to the second order
  using Complex = std::complex<double>;
  Tensors<Complex> moved;
  for (int i = 0; i < tensor_count; ++i) moved[i].assign(p.tensors[i].begin(), p.tensors[i].end());
  for (size_t i = 0; i < direction.size(); ++i) moved[tensor][i] += Complex(0, h * direction[i]);
  const auto out = reference(p, moved);
  double sum = 0;
  const auto add = [&](const std::vector<Complex>& values, const std::vector<double>& weights) {
    for (size_t i = 0; i < values.size(); ++i) sum += values[i].imag() / h * weights[i];
  };
  add(out.y, gradients.y);
  add(out.h_n, gradients.h_n);
  add(out.c_n, gradients.c_n);
  return sum;
}

}  // namespace weft::test
