// What turns with the step: the sines and cosines of sinusoidal and rotary positions, computed in double as
// in python/weftnn/nn.
//
//   angle(t, i) = t base^(-2 i / size)          pair i of size features, step t
#pragma once

#include <cmath>

#include "src/model/ops/operation.hpp"

namespace weft {

/// Of pairs 0, 1, ..., in radians a step.
inline std::vector<double> frequencies(double base, int64_t pairs, int64_t size) {
  std::vector<double> all;
  for (int64_t i = 0; i < pairs; ++i) all.push_back(std::pow(base, -double(2 * i) / double(size)));
  return all;
}

/// Of step t: cos and sin [pairs], with a distance of `stride` elements.
template <class T>
void fill_angles(const std::vector<double>& frequencies, int64_t t, int64_t stride, T* cos, T* sin) {
  for (const double frequency : frequencies) {
    const double angle = double(t) * frequency;
    *cos = T(std::cos(angle)), *sin = T(std::sin(angle));
    cos += stride, sin += stride;
  }
}

/// The base of angles, of an operation's entries.
template <class T>
double read_base(Entries<T>& entries) {
  return entries.number("base", "above 0", [](double value) { return value > 0; });
}

}  // namespace weft
