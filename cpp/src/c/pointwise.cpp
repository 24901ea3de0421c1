// The C interface: activations, swiglu, rotary positions, dropout.
#include "weft/pointwise.hpp"

#include "src/c/call.hpp"

using namespace weft;

namespace {

Activation activation_of(const char* operation, int32_t function) {
  if (function < WEFT_RELU || function > WEFT_TANH)
    fail(operation, "function must be in WEFT_RELU = 0 to WEFT_TANH = 5, got " + std::to_string(function));
  return Activation(function);
}
static_assert(int(Activation::relu) == WEFT_RELU && int(Activation::gelu) == WEFT_GELU &&
              int(Activation::gelu_tanh) == WEFT_GELU_TANH && int(Activation::silu) == WEFT_SILU &&
              int(Activation::sigmoid) == WEFT_SIGMOID && int(Activation::tanh) == WEFT_TANH);

}  // namespace

extern "C" {

weft_status weft_activation_forward(const weft_activation* call) {
  return c::run("activation_forward", call, [](const weft_activation& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    activation_forward<T>({.activation = activation_of(v.operation, a.function),
                           .x = v("x", a.x),
                           .y = v("y", a.y),
                           .threads = a.threads});
  });
}

weft_status weft_activation_backward(const weft_activation* call) {
  return c::run("activation_backward", call, [](const weft_activation& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const Activation function = activation_of(v.operation, a.function);
    activation_backward<T>({.activation = function,
                            .kept = keeps_input(function) ? v("x", a.x) : v("y", a.y),
                            .dy = v("dy", a.dy),
                            .dx = v("dx", a.dx),
                            .threads = a.threads});
  });
}

weft_status weft_swiglu_forward(const weft_swiglu* call) {
  return c::run("swiglu_forward", call, [](const weft_swiglu& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    swiglu_forward<T>({.x = v("x", a.x), .y = v("y", a.y), .threads = a.threads});
  });
}

weft_status weft_swiglu_backward(const weft_swiglu* call) {
  return c::run("swiglu_backward", call, [](const weft_swiglu& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    swiglu_backward<T>({.x = v("x", a.x), .dy = v("dy", a.dy), .dx = v("dx", a.dx), .threads = a.threads});
  });
}

weft_status weft_rotary_forward(const weft_rotary* call) {
  return c::run("rotary_forward", call, [](const weft_rotary& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    rotary_forward<T>({.x = v("x", a.x),
                       .cos = v("cos", a.cos),
                       .sin = v("sin", a.sin),
                       .interleaved = a.interleaved != 0,
                       .y = v("y", a.y),
                       .threads = a.threads});
  });
}

weft_status weft_rotary_backward(const weft_rotary* call) {
  return c::run("rotary_backward", call, [](const weft_rotary& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    rotary_backward<T>({.x = v("dy", a.dy),
                        .cos = v("cos", a.cos),
                        .sin = v("sin", a.sin),
                        .interleaved = a.interleaved != 0,
                        .y = v("dx", a.dx),
                        .threads = a.threads});
  });
}

weft_status weft_dropout_forward(const weft_dropout* call) {
  return c::run("dropout_forward", call, [](const weft_dropout& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    dropout_forward<T>({.x = v("x", a.x),
                        .p = a.p,
                        .seed = a.seed,
                        .offset = a.offset,
                        .y = v("y", a.y),
                        .threads = a.threads});
  });
}

weft_status weft_dropout_backward(const weft_dropout* call) {
  return c::run("dropout_backward", call, [](const weft_dropout& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    dropout_backward<T>({.x = v("dy", a.dy),
                         .p = a.p,
                         .seed = a.seed,
                         .offset = a.offset,
                         .y = v("dx", a.dx),
                         .threads = a.threads});
  });
}

}  // extern "C"
