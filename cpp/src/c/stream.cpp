// The C interface: streams. What is real time touches neither weft_last_error nor anything that allocates.
#include "src/c/model.hpp"

using namespace weft;

static_assert(int(Status::ok) == WEFT_OK && int(Status::full) == WEFT_FULL &&
              int(Status::wrong_input) == WEFT_WRONG_INPUT && int(Status::bad_token) == WEFT_BAD_TOKEN);

namespace {

/// work(stream of T), if the handle is one.
template <class T, class Work>
weft_status with(weft_stream* handle, const Work& work) noexcept {
  if (handle == nullptr) return WEFT_INVALID_ARGUMENT;
  BasicStream<T>* stream = std::get_if<BasicStream<T>>(&handle->stream);
  return stream != nullptr ? weft_status(work(*stream)) : WEFT_WRONG_INPUT;
}

template <class X, class T>
weft_status step(weft_stream* handle, X x, T* y) noexcept {
  if constexpr (std::is_pointer_v<X>)
    if (x == nullptr) return WEFT_INVALID_ARGUMENT;
  if (y == nullptr) return WEFT_INVALID_ARGUMENT;
  return with<T>(handle, [&](BasicStream<T>& stream) { return stream.step(x, y); });
}

template <class X, class T>
weft_status process(weft_stream* handle, const X* x, T* y, int64_t n) noexcept {
  if (n < 0 || (n > 0 && (x == nullptr || y == nullptr))) return WEFT_INVALID_ARGUMENT;
  return with<T>(handle, [&](BasicStream<T>& stream) { return stream.process(x, y, n); });
}

/// get(stream), or 0 of a null handle.
template <class Get>
auto ask(const weft_stream* handle, const Get& get) noexcept {
  using Answer = decltype(get(std::get<0>(handle->stream)));
  return handle == nullptr ? Answer(0) : std::visit(get, handle->stream);
}

}  // namespace

extern "C" {

weft_status weft_stream_new(const weft_model* model, int64_t capacity, weft_stream** stream) {
  return c::make_handle("stream_new", "stream", stream, [&] {
    const auto make = [&]<class T>(const BasicModel<T>& m) {
      return decltype(weft_stream::stream)(BasicStream<T>(m, capacity));
    };
    return std::visit(make, c::required("stream_new", "model", model).model);
  });
}

weft_status weft_stream_copy(const weft_stream* stream, weft_stream** copy) {
  return c::make_handle("stream_copy", "copy", copy,
                        [&] { return c::required("stream_copy", "stream", stream).stream; });
}

void weft_stream_free(weft_stream* stream) { delete stream; }

weft_status weft_stream_step(weft_stream* stream, const float* x, float* y) { return step(stream, x, y); }
weft_status weft_stream_step_f64(weft_stream* stream, const double* x, double* y) {
  return step(stream, x, y);
}
weft_status weft_stream_step_token(weft_stream* stream, int64_t token, float* y) {
  return step(stream, token, y);
}
weft_status weft_stream_step_token_f64(weft_stream* stream, int64_t token, double* y) {
  return step(stream, token, y);
}

weft_status weft_stream_process(weft_stream* stream, const float* x, float* y, int64_t n) {
  return process(stream, x, y, n);
}
weft_status weft_stream_process_f64(weft_stream* stream, const double* x, double* y, int64_t n) {
  return process(stream, x, y, n);
}
weft_status weft_stream_process_tokens(weft_stream* stream, const int64_t* tokens, float* y, int64_t n) {
  return process(stream, tokens, y, n);
}
weft_status weft_stream_process_tokens_f64(weft_stream* stream, const int64_t* tokens, double* y, int64_t n) {
  return process(stream, tokens, y, n);
}

void weft_stream_reset(weft_stream* stream) {
  if (stream != nullptr) std::visit([](auto& s) { s.reset(); }, stream->stream);
}

weft_status weft_stream_assign(weft_stream* stream, const weft_stream* other) {
  if (stream == nullptr || other == nullptr) return WEFT_INVALID_ARGUMENT;
  const auto assign = [&]<class T>(BasicStream<T>& to) {
    const BasicStream<T>* from = std::get_if<BasicStream<T>>(&other->stream);
    return from != nullptr && to.assign(*from);
  };
  return std::visit(assign, stream->stream) ? WEFT_OK : WEFT_INVALID_ARGUMENT;
}

int64_t weft_stream_position(const weft_stream* stream) {
  return ask(stream, [](const auto& s) { return s.position(); });
}
int64_t weft_stream_capacity(const weft_stream* stream) {
  return ask(stream, [](const auto& s) { return s.capacity(); });
}
size_t weft_stream_bytes(const weft_stream* stream) {
  return ask(stream, [](const auto& s) { return s.bytes(); });
}

}  // extern "C"
