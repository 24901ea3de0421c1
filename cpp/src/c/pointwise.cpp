// The C interface: layer normalization, activations, swiglu, rotary positions, dropout.
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

weft_status weft_layer_norm_sizes(const weft_layer_norm* call, weft_sizes* sizes) {
  const char* operation = "layer_norm_sizes";
  return c::run(operation, call, [&](const weft_layer_norm& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const View<const T, 2> x = v("x", a.x);
    weft_sizes needed{};
    needed.backward = sizeof(T) * size_t(layer_norm_backward_workspace<T>(x.shape[0], x.shape[1]));
    c::write(operation, "sizes", needed, sizes);
  });
}

weft_status weft_layer_norm_forward(const weft_layer_norm* call) {
  return c::run("layer_norm_forward", call, [](const weft_layer_norm& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    layer_norm_forward<T>(v("x", a.x), v("weight", a.weight), v("bias", a.bias), a.eps, v("y", a.y),
                          v("mean", a.mean), v("inverse_deviation", a.inverse_deviation), a.threads);
  });
}

weft_status weft_layer_norm_backward(const weft_layer_norm* call) {
  return c::run("layer_norm_backward", call, [](const weft_layer_norm& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    layer_norm_backward<T>(v("x", a.x), v("weight", a.weight), v("mean", a.mean),
                           v("inverse_deviation", a.inverse_deviation), v("dy", a.dy), v("dx", a.dx),
                           v("dweight", a.dweight), v("dbias", a.dbias),
                           c::elements<T>(v.operation, a.workspace, a.workspace_bytes), a.threads);
  });
}

weft_status weft_activation_forward(const weft_activation* call) {
  return c::run("activation_forward", call, [](const weft_activation& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    activation_forward<T>(activation_of(v.operation, a.function), v("x", a.x), v("y", a.y), a.threads);
  });
}

weft_status weft_activation_backward(const weft_activation* call) {
  return c::run("activation_backward", call, [](const weft_activation& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const Activation function = activation_of(v.operation, a.function);
    activation_backward<T>(function, keeps_input(function) ? v("x", a.x) : v("y", a.y), v("dy", a.dy),
                           v("dx", a.dx), a.threads);
  });
}

weft_status weft_swiglu_forward(const weft_swiglu* call) {
  return c::run("swiglu_forward", call, [](const weft_swiglu& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    swiglu_forward<T>(v("x", a.x), v("y", a.y), a.threads);
  });
}

weft_status weft_swiglu_backward(const weft_swiglu* call) {
  return c::run("swiglu_backward", call, [](const weft_swiglu& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    swiglu_backward<T>(v("x", a.x), v("dy", a.dy), v("dx", a.dx), a.threads);
  });
}

weft_status weft_rotary_forward(const weft_rotary* call) {
  return c::run("rotary_forward", call, [](const weft_rotary& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    rotary_forward<T>(v("x", a.x), v("cos", a.cos), v("sin", a.sin), a.interleaved != 0, v("y", a.y),
                      a.threads);
  });
}

weft_status weft_rotary_backward(const weft_rotary* call) {
  return c::run("rotary_backward", call, [](const weft_rotary& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    rotary_backward<T>(v("dy", a.dy), v("cos", a.cos), v("sin", a.sin), a.interleaved != 0, v("dx", a.dx),
                       a.threads);
  });
}

weft_status weft_dropout_forward(const weft_dropout* call) {
  return c::run("dropout_forward", call, [](const weft_dropout& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    dropout_forward<T>(v("x", a.x), a.p, a.seed, a.offset, v("y", a.y), a.threads);
  });
}

weft_status weft_dropout_backward(const weft_dropout* call) {
  return c::run("dropout_backward", call, [](const weft_dropout& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    dropout_backward<T>(v("dy", a.dy), a.p, a.seed, a.offset, v("dx", a.dx), a.threads);
  });
}

}  // extern "C"
