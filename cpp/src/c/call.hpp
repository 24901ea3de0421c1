// What the functions of weft.h have in common: exceptions become a status, structs of other versions are
// read, views become those of C++.
#pragma once

#include <algorithm>

#include "src/checks/checks.hpp"
#include "weft/weft.h"

namespace weft::c {

/// The status of the exception being handled; its text is what weft_last_error() says from now on.
weft_status failure() noexcept;

/// body(), from which no exception leaves.
template <class Body>
weft_status guarded(const Body& body) noexcept {
  try {
    body();
    return WEFT_OK;
  } catch (...) {
    return failure();
  }
}

/// Fills `copy` of `size` bytes from a struct that begins with its own size: what an older one lacks is zero,
/// what a newer one has besides must be.
void read_struct(const char* operation, const char* argument, const void* given, void* copy, size_t size);
/// The way back, into a struct that begins with its own size.
void write_struct(const char* operation, const char* argument, const void* from, void* given, size_t size);

template <class Struct>
Struct read(const char* operation, const char* argument, const Struct* given) {
  Struct copy;
  read_struct(operation, argument, given, &copy, sizeof copy);
  return copy;
}
template <class Struct>
void write(const char* operation, const char* argument, const Struct& from, Struct* given) {
  write_struct(operation, argument, &from, given, sizeof from);
}

/// A caller's view, on its way to become one of C++.
struct GivenView {
  const char *operation, *argument;
  const weft_view& view;

  template <class T, int N>
  operator View<T, N>() const {
    View<T, N> made;
    made.data = static_cast<T*>(view.data);
    std::copy_n(view.shape, N, made.shape.at);
    std::copy_n(view.stride, N, made.stride.at);
    check_sizes<T>(operation, argument, made.shape);
    return made;
  }
};

/// Names the views of one call for its errors: linear_forward<T>({.x = v("x", c.x), ...})
struct Views {
  const char* operation;
  GivenView operator()(const char* argument, const weft_view& view) const {
    return {operation, argument, view};
  }
};

void check_call(const char* operation, int32_t threads, int32_t reserved);
[[noreturn]] void fail_dtype(const char* operation, weft_dtype dtype);

/// body(call, views, T(0)) with the caller's struct, read and checked, and T that of its dtype.
template <class Call, class Body>
weft_status run(const char* operation, const Call* given, const Body& body) noexcept {
  return guarded([&] {
    const Call call = read(operation, "call", given);
    if constexpr (requires { call.reserved; })
      check_call(operation, call.threads, call.reserved);
    else
      check_call(operation, call.threads, 0);
    const Views views{operation};
    if (call.dtype == WEFT_FLOAT32)
      body(call, views, float(0));
    else if (call.dtype == WEFT_FLOAT64)
      body(call, views, double(0));
    else
      fail_dtype(operation, call.dtype);
  });
}

using weft::check_memory;

}  // namespace weft::c
