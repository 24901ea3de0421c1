// Checks of views and numbers before a kernel runs.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <sstream>

#include "src/checks/errors.hpp"

namespace weft {

inline std::string number_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

/// Throws unless low <= value <= high (value < high where high_inside is false); NaN is never inside.
inline void check_number(const char* operation, const char* argument, double value, double low, double high,
                         bool high_inside = true) {
  if (value >= low && (high_inside ? value <= high : value < high)) return;
  const std::string range =
      high == HUGE_VAL ? "at least " + number_text(low) + " and finite"
                       : "in [" + number_text(low) + ", " + number_text(high) + (high_inside ? "]" : ")");
  fail(operation, std::string(argument) + " must be " + range + ", got " + number_text(value));
}
/// Throws unless value is finite and at least zero.
inline void check_not_negative(const char* operation, const char* argument, double value) {
  check_number(operation, argument, value, 0, HUGE_VAL, false);
}

/// Has it no elements? What is left out has none.
template <class T, int N>
bool is_empty(const View<T, N>& view) {
  return !view || std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end();
}
/// Is there nothing that a call whose results these are could write? Then it is done, however many rows of
/// nothing there are.
template <class... Views>
bool are_empty(const Views&... results) {
  return (is_empty(results) && ...);
}

/// What check_view lets pass, if it has elements.
template <class T, int N>
bool is_like(const View<T, N>& view, const std::type_identity_t<Axes<N>>& expected) {
  int64_t bytes = sizeof(T);
  bool fits = view && view.shape == expected && (expected[N - 1] == 1 || view.stride[N - 1] == 1);
  for (const int64_t size : expected) fits = fits && size > 0 && !__builtin_mul_overflow(bytes, size, &bytes);
  return fits;
}

/// Throws unless the view has that shape, its last axis is contiguous, and it is there if it has elements.
template <class T, int N>
void check_view(const char* operation, const char* argument, const View<T, N>& view, const char* symbolic,
                const std::type_identity_t<Axes<N>>& expected) {
  if (is_like(view, expected)) return;
  check_shape(operation, argument, view, symbolic, expected);
  check_sizes<T>(operation, argument, view.shape);
  const bool empty = std::find(expected.begin(), expected.end(), 0) != expected.end();
  if (!view && !empty) fail(operation, std::string(argument) + " must not be null");
  if (!empty && expected[N - 1] > 1 && view.stride[N - 1] != 1)
    fail(operation, std::string(argument) + " must have a contiguous last axis, got a stride of " +
                        std::to_string(view.stride[N - 1]) + " elements");
}
/// What a kernel takes without strides.
template <class T, int N>
void check_contiguous(const char* operation, const char* argument, const View<T, N>& view,
                      const char* symbolic, const std::type_identity_t<Axes<N>>& shape) {
  check_view(operation, argument, view, symbolic, shape);
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return;  // an empty array has no order
  const View<T, N> whole(view.data, shape);
  for (int axis = 0; axis < N; ++axis)
    if (shape[axis] > 1 && view.stride[axis] != whole.stride[axis])
      fail(operation, std::string(argument) + " must be contiguous, got a stride of " +
                          std::to_string(view.stride[axis]) + " elements for axis " + std::to_string(axis));
}

/// check_view for an argument that may be left out.
template <class T, int N>
void check_optional(const char* operation, const char* argument, const View<T, N>& view, const char* symbolic,
                    const std::type_identity_t<Axes<N>>& expected) {
  if (view) check_view(operation, argument, view, symbolic, expected);
}
/// Throws unless memory that the caller brought is large enough and aligned.
inline void check_memory(const char* operation, const char* argument, const void* memory, size_t bytes,
                         size_t needed) {
  const auto refuse = [&](const std::string& given) {
    fail(operation,
         std::string(argument) + " must have at least " + std::to_string(needed) + " bytes, got " + given);
  };
  if (needed > 0 && memory == nullptr) refuse("null");
  if (bytes < needed) refuse(std::to_string(bytes));
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0)
    fail(operation, std::string(argument) + " must be 64-byte aligned");
}
template <class Call>
void check_workspace(const char* operation, const Call& call, size_t needed) {
  check_memory(operation, "workspace", call.workspace, call.workspace_bytes, needed);
}

}  // namespace weft
