// What the handles of weft.h are.
#pragma once

#include <variant>

#include "src/c/call.hpp"
#include "weft/model.hpp"

struct weft_model {
  weft::AnyModel model;
};

struct weft_stream {
  std::variant<weft::Stream, weft::Stream64> stream;
};

namespace weft::c {

/// Throws where a handle is null.
template <class Handle>
Handle& required(const char* operation, const char* argument, Handle* handle) {
  if (handle == nullptr) fail(operation, std::string(argument) + " must not be null");
  return *handle;
}

/// *made = make(), or null where that throws.
template <class Handle, class Make>
weft_status make_handle(const char* operation, const char* argument, Handle** made,
                        const Make& make) noexcept {
  return guarded([&] {
    Handle*& handle = required(operation, argument, made);
    handle = nullptr;
    handle = new Handle{make()};
  });
}

}  // namespace weft::c
