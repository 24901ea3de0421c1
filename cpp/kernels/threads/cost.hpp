// What work and threads cost, in the one unit in which they are weighed against each other: nanoseconds of
// one thread. They are estimates for the processors of a desktop or server; no result depends on them.
#pragma once

namespace weft {

/// Of a product whose operands are in the caches.
inline constexpr double multiply_adds_per_nanosecond = 50;

/// The least work that a share of a call is worth: a helper takes some microseconds to wake and to join.
inline constexpr double least_share = 20'000;

/// What a grid of threads (team.hpp) costs before its first step, and at a barrier between two steps.
inline constexpr double grid_start = 8'000, barrier = 500;

}  // namespace weft
