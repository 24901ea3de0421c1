// Error messages of the house: operation, argument, expected, actual.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "weft/errors.hpp"
#include "weft/view.hpp"

namespace weft {

inline std::string shape_text(const int64_t* sizes, int rank) {
  std::string text = "(";
  for (int axis = 0; axis < rank; ++axis) text += (axis ? ", " : "") + std::to_string(sizes[axis]);
  return text + (rank == 1 ? ",)" : ")");
}

[[noreturn]] inline void fail(std::string_view operation, const std::string& message) {
  throw BadArgument(std::string(operation) + ": " + message);
}

/// Throws unless the view has that shape: `lstm_forward: w_hh must be (4H, H) = (512, 128), got (512, 64)`.
template <class T, int N>
void check_shape(std::string_view operation, const char* argument, const View<T, N>& view,
                 const char* symbolic, const std::type_identity_t<Axes<N>>& expected) {
  if (view.shape == expected) return;
  fail(operation, std::string(argument) + " must be " + symbolic + " = " + shape_text(expected.at, N) +
                      ", got " + shape_text(view.shape.at, N));
}

/// a * b of two sizes, or an error that names what the product was for.
inline int64_t checked_product(std::string_view operation, const char* what, int64_t a, int64_t b) {
  const auto refuse = [&](const char* wrong) {
    fail(operation, std::string(what) + wrong + ", got " + std::to_string(a) + " x " + std::to_string(b));
  };
  int64_t product;
  if (a < 0 || b < 0) refuse(" must not be negative");
  if (__builtin_mul_overflow(a, b, &product)) refuse(" overflows 64-bit sizes");
  return product;
}
inline int64_t checked_sum(std::string_view operation, const char* what, int64_t a, int64_t b) {
  const auto refuse = [&](const char* wrong) {
    fail(operation, std::string(what) + wrong + ", got " + std::to_string(a) + " + " + std::to_string(b));
  };
  int64_t sum;
  if (a < 0 || b < 0) refuse(" must not be negative");
  if (__builtin_add_overflow(a, b, &sum)) refuse(" overflows 64-bit sizes");
  return sum;
}

/// Throws unless these can be the sizes of an array of T: whatever its strides, those of a caller that wants
/// one element to be many included, the product of any of them is then a number.
template <class T, int N>
void check_sizes(std::string_view operation, const char* argument, const Axes<N>& sizes) {
  int64_t bytes = sizeof(T);
  for (const int64_t size : sizes) {
    if (size < 0)
      fail(operation, std::string(argument) + " must have no negative sizes, got " + shape_text(sizes.at, N));
    if (size > 0 && __builtin_mul_overflow(bytes, size, &bytes))
      fail(operation,
           std::string(argument) + " overflows 64-bit sizes, got shape " + shape_text(sizes.at, N));
  }
}

}  // namespace weft
