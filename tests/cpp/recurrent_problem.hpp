// Recurrent problems to compute: sizes, options, and random numbers for every argument.
//
// Shapes as in weft/recurrent.hpp: T time, B batch, I input, H hidden, P width of h, G gates, E per-unit
// weights.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "check.hpp"
#include "weft/recurrent.hpp"

namespace weft::test {

/// The differentiable arguments.
enum Tensor { X, W_IH, W_HH, B_IH, B_HH, EXTRA, W_PROJ, H0, C0, tensor_count };
inline constexpr const char* tensor_names[] = {"x",     "w_ih",   "w_hh", "b_ih", "b_hh",
                                               "extra", "w_proj", "h0",   "c0"};

template <class S>
using Tensors = std::array<std::vector<S>, tensor_count>;  // an absent one is empty

struct Problem {
  std::string cell;
  int64_t T, B, I, H, P;
  int64_t gates, extras;
  bool has_c, reverse = false;
  Tensors<double> tensors;
  std::vector<int64_t> lengths;          // [B] or empty, like the next three
  std::vector<char> resets;              // [B, T]
  std::vector<double> dropout, zoneout;  // [B, T, P]
};

template <class S>
struct Outcome {
  std::vector<S> y, h_n, c_n;  // [B, T, P], [B, P], [B, H]
};

/// Which options are on, named.
struct Options {
  const char* name;
  bool bare = false, reverse = false, lengths = false, resets = false, dropout = false, zoneout = false;
  int64_t checkpoint_every = 0;
  bool projection = false;
};

struct Size {
  int64_t T, B, I, H;
};

inline Problem make_problem(const CellInfo& info, const Options& options, const Size& size) {
  const auto [T, B, I, H] = size;
  const int64_t P = options.projection && info.takes_projection ? (H + 1) / 2 : H, rows = info.gates * H;
  Problem p;
  p.cell = info.name, p.gates = info.gates, p.extras = info.extras, p.has_c = info.has_c;
  p.T = T, p.B = B, p.I = I, p.H = H, p.P = P;
  p.reverse = options.reverse;
  const double bound = 1 / std::sqrt(double(H));
  p.tensors[X] = random_numbers<double>(B * T * I, 1);
  p.tensors[W_IH] = random_numbers<double>(rows * I, 2, bound);
  p.tensors[W_HH] = random_numbers<double>(rows * P, 3, bound);
  if (info.extras > 0) p.tensors[EXTRA] = random_numbers<double>(info.extras * H, 4);
  if (P != H) p.tensors[W_PROJ] = random_numbers<double>(P * H, 5, bound);
  if (!options.bare) {
    p.tensors[B_IH] = random_numbers<double>(rows, 6, bound);
    p.tensors[B_HH] = random_numbers<double>(rows, 7, bound);
    p.tensors[H0] = random_numbers<double>(B * P, 8);
    if (info.has_c) p.tensors[C0] = random_numbers<double>(B * H, 9);
  }
  const auto chance = random_numbers<double>(B * T, 10);
  if (options.lengths)
    for (int64_t b = 0; b < B; ++b) p.lengths.push_back(b % 3 == 1 ? 0 : b % 3 == 2 ? T : 1 + b % T);
  if (options.resets)
    for (double number : chance) p.resets.push_back(number < -0.3);
  if (options.dropout)
    for (double number : random_numbers<double>(B * T * P, 11))
      p.dropout.push_back(number < -0.5 ? 0.0 : 4.0 / 3);
  if (options.zoneout)
    for (double number : random_numbers<double>(B * T * P, 12)) p.zoneout.push_back(number * number);
  // Both kinds of number must be float32's own, or the comparison would be of the arguments.
  const auto narrow = [](std::vector<double>& numbers) {
    for (double& number : numbers) number = float(number);
  };
  for (auto& tensor : p.tensors) narrow(tensor);
  narrow(p.dropout);
  narrow(p.zoneout);
  return p;
}

/// Gradients of the outputs, float32's own numbers too.
inline Outcome<double> make_douts(const Problem& p) {
  Outcome<double> douts{random_numbers<double>(p.B * p.T * p.P, 20), random_numbers<double>(p.B * p.P, 21),
                        random_numbers<double>(p.has_c ? p.B * p.H : 0, 22)};
  for (auto* numbers : {&douts.y, &douts.h_n, &douts.c_n})
    for (double& number : *numbers) number = float(number);
  return douts;
}

}  // namespace weft::test
