// The C interface: linear, embedding, layer normalisation.
#include "weft/dense.hpp"

#include "src/c/call.hpp"

using namespace weft;

extern "C" {

weft_status weft_linear_sizes(const weft_linear* call, weft_sizes* sizes) {
  const char* operation = "linear_sizes";
  return c::run(operation, call, [&](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const View<const T, 2> weight = v("weight", a.weight);
    weft_sizes needed{};
    needed.forward = linear_forward_workspace<T>({.weight = weight, .threads = a.threads});
    needed.backward = linear_backward_workspace<T>({.weight = weight, .threads = a.threads});
    c::write(operation, "sizes", needed, sizes);
  });
}

weft_status weft_linear_forward(const weft_linear* call) {
  return c::run("linear_forward", call, [](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    linear_forward<T>({.x = v("x", a.x),
                       .weight = v("weight", a.weight),
                       .bias = v("bias", a.bias),
                       .y = v("y", a.y),
                       .workspace = a.workspace,
                       .workspace_bytes = a.workspace_bytes,
                       .threads = a.threads});
  });
}

weft_status weft_linear_backward(const weft_linear* call) {
  return c::run("linear_backward", call, [](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    linear_backward<T>({.x = v("x", a.x),
                        .weight = v("weight", a.weight),
                        .dy = v("dy", a.dy),
                        .dx = v("dx", a.dx),
                        .dweight = v("dweight", a.dweight),
                        .dbias = v("dbias", a.dbias),
                        .workspace = a.workspace,
                        .workspace_bytes = a.workspace_bytes,
                        .threads = a.threads});
  });
}

weft_status weft_embedding_forward(const weft_embedding* call) {
  return c::run("embedding_forward", call, [](const weft_embedding& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    embedding_forward<T>({.indices = v("indices", a.indices),
                          .weight = v("weight", a.weight),
                          .y = v("y", a.y),
                          .threads = a.threads});
  });
}

weft_status weft_embedding_backward(const weft_embedding* call) {
  return c::run("embedding_backward", call, [](const weft_embedding& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    embedding_backward<T>({.indices = v("indices", a.indices),
                           .dy = v("dy", a.dy),
                           .dweight = v("dweight", a.dweight),
                           .padding_index = a.padded ? a.padding_index : -1,
                           .threads = a.threads});
  });
}

weft_status weft_layer_norm_sizes(const weft_layer_norm* call, weft_sizes* sizes) {
  const char* operation = "layer_norm_sizes";
  return c::run(operation, call, [&](const weft_layer_norm& a, const c::Views& v, auto zero) {
    weft_sizes needed{};
    needed.backward = layer_norm_backward_workspace<decltype(zero)>({.x = v("x", a.x)});
    c::write(operation, "sizes", needed, sizes);
  });
}

weft_status weft_layer_norm_forward(const weft_layer_norm* call) {
  return c::run("layer_norm_forward", call, [](const weft_layer_norm& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    layer_norm_forward<T>({.x = v("x", a.x),
                           .weight = v("weight", a.weight),
                           .bias = v("bias", a.bias),
                           .eps = a.eps,
                           .y = v("y", a.y),
                           .mean = v("mean", a.mean),
                           .inverse_deviation = v("inverse_deviation", a.inverse_deviation),
                           .threads = a.threads});
  });
}

weft_status weft_layer_norm_backward(const weft_layer_norm* call) {
  return c::run("layer_norm_backward", call, [](const weft_layer_norm& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    layer_norm_backward<T>({.x = v("x", a.x),
                            .weight = v("weight", a.weight),
                            .mean = v("mean", a.mean),
                            .inverse_deviation = v("inverse_deviation", a.inverse_deviation),
                            .dy = v("dy", a.dy),
                            .dx = v("dx", a.dx),
                            .dweight = v("dweight", a.dweight),
                            .dbias = v("dbias", a.dbias),
                            .workspace = a.workspace,
                            .workspace_bytes = a.workspace_bytes,
                            .threads = a.threads});
  });
}

}  // extern "C"
