// The C interface: linear, embedding.
#include "weft/dense.hpp"

#include "src/c/call.hpp"

using namespace weft;

extern "C" {

weft_status weft_linear_sizes(const weft_linear* call, weft_sizes* sizes) {
  const char* operation = "linear_sizes";
  return c::run(operation, call, [&](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const View<const T, 2> weight = v("weight", a.weight);
    const int64_t outputs = weight.shape[0], inputs = weight.shape[1];
    weft_sizes needed{};
    needed.forward = sizeof(T) * size_t(linear_forward_workspace<T>(inputs, outputs, a.threads));
    needed.backward = sizeof(T) * size_t(linear_backward_workspace<T>(inputs, outputs, a.threads));
    c::write(operation, "sizes", needed, sizes);
  });
}

weft_status weft_linear_forward(const weft_linear* call) {
  return c::run("linear_forward", call, [](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    linear_forward<T>(v("x", a.x), v("weight", a.weight), v("bias", a.bias), v("y", a.y),
                      c::elements<T>(v.operation, a.workspace, a.workspace_bytes), a.threads);
  });
}

weft_status weft_linear_backward(const weft_linear* call) {
  return c::run("linear_backward", call, [](const weft_linear& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    linear_backward<T>(v("x", a.x), v("weight", a.weight), v("dy", a.dy), v("dx", a.dx),
                       v("dweight", a.dweight), v("dbias", a.dbias),
                       c::elements<T>(v.operation, a.workspace, a.workspace_bytes), a.threads);
  });
}

weft_status weft_embedding_forward(const weft_embedding* call) {
  return c::run("embedding_forward", call, [](const weft_embedding& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    embedding_forward<T>(v("indices", a.indices), v("weight", a.weight), v("y", a.y), a.threads);
  });
}

weft_status weft_embedding_backward(const weft_embedding* call) {
  return c::run("embedding_backward", call, [](const weft_embedding& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    embedding_backward<T>(v("indices", a.indices), v("dy", a.dy), v("dweight", a.dweight),
                          a.padded ? a.padding_index : -1, a.threads);
  });
}

}  // extern "C"
