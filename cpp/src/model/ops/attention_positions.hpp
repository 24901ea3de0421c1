// How attention knows where steps stand: pairs of features that turn, or numbers that are added to the
// scores.
//
//   rotary     pair i of queries and keys, of the first `dim` features of a head, turns by t base^(-2i/dim);
//              it is (i, i + dim/2), or (2i, 2i + 1) if interleaved
//   alibi      score(t, s) -= m_n |t - s|
//   relative   score(t, s) += weight[bucket(s - t), n]          weight [R, N]
//
// t a query's step, s a key's, n of N the head, R buckets.
#pragma once

#include <cstdlib>

#include "src/model/ops/angles.hpp"

namespace weft {

struct RotaryPositions {
  int64_t dim;
  double base;
  bool interleaved;
};
struct AlibiPositions {};
template <class T>
struct RelativePositions {
  Weight<T> weight;
  int64_t max_distance;
  bool bidirectional;
};
template <class T>
using AttentionPositions =
    std::variant<std::monostate, RotaryPositions, AlibiPositions, RelativePositions<T>>;

template <class T>
AttentionPositions<T> read_positions(Entries<T> entries) {
  static constexpr const char* kinds[] = {"rotary", "alibi", "relative"};
  AttentionPositions<T> made;
  switch (entries.choice("kind", kinds)) {
    case 0: {
      const int64_t dim = entries.integer("dim", 2);
      const double base = read_base(entries);
      made = RotaryPositions{dim, base, entries.boolean("interleaved")};
      break;
    }
    case 1:
      made = AlibiPositions{};
      break;
    default: {
      const Weight<T> weight = entries.weight("weight");
      const int64_t distance = entries.integer("max_distance", 1, int64_t(1) << 53);  // exact as a double
      made = RelativePositions<T>{weight, distance, entries.boolean("bidirectional")};
    }
  }
  entries.refuse_others();
  return made;
}

template <class T>
void check_positions(const AttentionPositions<T>& positions, int64_t heads, int64_t size, const Place& at) {
  if (const auto* rotary = std::get_if<RotaryPositions>(&positions))
    if (rotary->dim % 2 != 0 || rotary->dim > size)
      at.refuse("dim must be even and at most D = " + std::to_string(size) + ", got " +
                std::to_string(rotary->dim));
  if (const auto* relative = std::get_if<RelativePositions<T>>(&positions)) {
    const int64_t buckets = at.expect("positions.weight", relative->weight, "(R, N)", {Place::any, heads})[0];
    const int64_t side = relative->bidirectional ? buckets / 2 : buckets;
    if (side < 2 || relative->max_distance <= side / 2)
      at.refuse("max_distance must be above half of the " + std::to_string(side) +
                " buckets of a side, at least two, got " + std::to_string(relative->max_distance));
  }
}

/// ALiBi's slope of head n of N: 2^(-8 (n + 1) / N) if N is a power of two; else those of the power below,
/// then every other one of the power above.
inline double alibi_slope(int64_t n, int64_t heads) {
  int64_t below = 1;
  while (below <= heads / 2) below *= 2;
  return n < below ? std::pow(2.0, double(-8 * (n + 1)) / double(below))
                   : std::pow(2.0, double(-8 * (2 * (n - below) + 1)) / double(2 * below));
}

/// T5's bucket of a distance s - t: small ones apart, larger ones by their logarithm.
inline int64_t relative_bucket(int64_t distance, int64_t buckets, int64_t max_distance, bool bidirectional) {
  const int64_t side = bidirectional ? buckets / 2 : buckets, exact = side / 2;
  const int64_t far = std::abs(bidirectional ? distance : std::min<int64_t>(distance, 0));
  const int64_t second_half = bidirectional && distance > 0 ? side : 0;
  if (far < exact) return second_half + far;
  const double share = std::log(double(far) / double(exact)) / std::log(double(max_distance) / double(exact));
  return second_half + std::min(exact + int64_t(share * double(side - exact)), side - 1);
}

/// Is something added to the scores?
template <class T>
bool has_bias(const AttentionPositions<T>& positions) {
  return std::holds_alternative<AlibiPositions>(positions) ||
         std::holds_alternative<RelativePositions<T>>(positions);
}
/// What is added to those of head n: to[i] for a key that stands first + i steps after its query.
template <class T>
void fill_score_bias(const AttentionPositions<T>& positions, int64_t n, int64_t heads, int64_t first,
                     int64_t count, T* to) {
  if (std::holds_alternative<AlibiPositions>(positions)) {
    const T slope = T(alibi_slope(n, heads));
    for (int64_t i = 0; i < count; ++i) to[i] = -slope * T(std::abs(first + i));
  }
  if (const auto* relative = std::get_if<RelativePositions<T>>(&positions)) {
    const T* weight = data_of(relative->weight);
    const int64_t buckets = relative->weight->shape[0];
    for (int64_t i = 0; i < count; ++i)
      to[i] = weight[relative_bucket(first + i, buckets, relative->max_distance, relative->bidirectional) *
                         heads +
                     n];
  }
}

}  // namespace weft
