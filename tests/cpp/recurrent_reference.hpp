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
#include <map>
#include <string>
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

/// A step of one row, by cell.
template <class S>
struct Cell {
  using State = std::vector<S>;

  const Problem& p;
  const Tensors<S>& t;
  /// Of the step: its input, h as the recurrent product sees it, the states before; the new ones.
  const S* x;
  const State &masked, &h, &c;
  State new_h = State(p.H), new_c = c;

  S input(int64_t gate, int64_t unit) const {
    const int64_t row = gate * p.H + unit;
    S sum = t[B_IH].empty() ? S(0) : t[B_IH][row];
    for (int64_t i = 0; i < p.I; ++i) sum += t[W_IH][row * p.I + i] * x[i];
    return sum;
  }
  S hidden(int64_t gate, int64_t unit, const State& operand) const {
    const int64_t row = gate * p.H + unit;
    S sum = t[B_HH].empty() ? S(0) : t[B_HH][row];
    for (int64_t i = 0; i < p.P; ++i) sum += t[W_HH][row * p.P + i] * operand[i];
    return sum;
  }
  S sum(int64_t gate, int64_t unit) const { return input(gate, unit) + hidden(gate, unit, masked); }
  S peephole(int64_t gate, int64_t unit) const { return p.extras == 0 ? S(0) : t[EXTRA][gate * p.H + unit]; }

  void rnn_tanh() {
    for (int64_t u = 0; u < p.H; ++u) new_h[u] = std::tanh(sum(0, u));
  }
  void rnn_relu() {
    for (int64_t u = 0; u < p.H; ++u) new_h[u] = relu(sum(0, u));
  }
  void lstm() {  // all of its variants
    const bool coupled = p.gates == 3;
    for (int64_t u = 0; u < p.H; ++u) {
      const S i = sigmoid(sum(0, u) + peephole(0, u) * c[u]);
      const S f = coupled ? 1.0 - i : sigmoid(sum(1, u) + peephole(1, u) * c[u]);
      new_c[u] = f * c[u] + i * std::tanh(sum(p.gates - 2, u));
      new_h[u] = sigmoid(sum(p.gates - 1, u) + peephole(2, u) * new_c[u]) * std::tanh(new_c[u]);
    }
  }
  void gru() {
    for (int64_t u = 0; u < p.H; ++u) {
      const S r = sigmoid(sum(0, u)), z = sigmoid(sum(1, u));
      new_h[u] = (1.0 - z) * std::tanh(input(2, u) + r * hidden(2, u, masked)) + z * h[u];
    }
  }
  void gru_reset_before() {
    State reset_h(p.H);
    for (int64_t u = 0; u < p.H; ++u) reset_h[u] = sigmoid(sum(0, u)) * masked[u];
    for (int64_t u = 0; u < p.H; ++u) {
      const S z = sigmoid(sum(1, u));
      new_h[u] = (1.0 - z) * std::tanh(input(2, u) + hidden(2, u, reset_h)) + z * h[u];
    }
  }
  void project() {
    const State outputs = new_h;
    new_h.assign(p.P, S(0));
    for (int64_t i = 0; i < p.P; ++i)
      for (int64_t u = 0; u < p.H; ++u) new_h[i] += t[W_PROJ][i * p.H + u] * outputs[u];
  }
};

/// The cells that have a reference here; a new one may be tested from Python alone, where the table of cases
/// has its own.
template <class S>
inline const std::map<std::string, void (Cell<S>::*)()> cell_references = {
    {"rnn_tanh", &Cell<S>::rnn_tanh}, {"rnn_relu", &Cell<S>::rnn_relu},
    {"lstm", &Cell<S>::lstm},         {"lstm_peephole", &Cell<S>::lstm},
    {"lstm_coupled", &Cell<S>::lstm}, {"lstm_coupled_peephole", &Cell<S>::lstm},
    {"gru", &Cell<S>::gru},           {"gru_reset_before", &Cell<S>::gru_reset_before},
};
inline std::vector<CellInfo> referenced_cells() {
  std::vector<CellInfo> cells;
  for (const auto& cell : recurrent_cells())
    if (cell_references<double>.contains(cell.name)) cells.push_back(cell);
  check(cells.size() == cell_references<double>.size(), "a cell was renamed, and is not tested");
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
      Cell<S> step{p, t, t[X].data() + at * p.I, masked, h, c};
      (step.*cell_references<S>.at(p.cell))();
      if (!t[W_PROJ].empty()) step.project();
      std::vector<S>&new_h = step.new_h, &new_c = step.new_c;
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
