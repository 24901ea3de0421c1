// The C interface: scaled dot-product attention.
#include "weft/attention.hpp"

#include <algorithm>
#include <cmath>

#include "src/c/call.hpp"
#include "src/runtime/cost.hpp"

using namespace weft;

namespace {

template <class T>
AttentionArguments<T> arguments_of(const weft_sdpa& a, const c::Views& v) {
  AttentionArguments<T> arguments{.q = v("q", a.q),
                                  .k = v("k", a.k),
                                  .v = v("v", a.v),
                                  .mask = v("mask", a.mask),
                                  .float_mask = v("float_mask", a.float_mask),
                                  .bias = v("bias", a.bias),
                                  .kv_lengths = v("kv_lengths", a.kv_lengths),
                                  .scale = a.scale,
                                  .softcap = a.softcap,
                                  .from_end = a.from_end != 0,
                                  .dropout = a.dropout,
                                  .seed = a.seed,
                                  .offset = a.offset,
                                  .threads = most_threads(a.threads),  // the same for sizes and call
                                  .operation = v.operation};
  if (a.scale == 0) arguments.scale = 1 / std::sqrt(double(std::max<int64_t>(a.q.shape[3], 1)));
  if (a.windowed) arguments.left = a.left, arguments.right = a.right;
  return arguments;
}

/// What a call brings, once it is known to be enough.
void* workspace_of(const weft_sdpa& a, const char* operation, size_t needed) {
  c::check_memory(operation, "workspace", a.workspace, a.workspace_bytes, needed);
  return a.workspace;
}

}  // namespace

extern "C" {

weft_status weft_sdpa_sizes(const weft_sdpa* call, weft_sizes* sizes) {
  const char* operation = "sdpa_sizes";
  return c::run(operation, call, [&](const weft_sdpa& a, const c::Views& v, auto zero) {
    const auto arguments = arguments_of<decltype(zero)>(a, v);
    c::write(operation, "sizes",
             {sizeof(weft_sizes), 0, attention_forward_workspace(arguments),
              attention_backward_workspace(arguments), attention_weights_workspace(arguments)},
             sizes);
  });
}

weft_status weft_sdpa_forward(const weft_sdpa* call) {
  return c::run("sdpa_forward", call, [](const weft_sdpa& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const auto arguments = arguments_of<T>(a, v);
    attention_forward<T>({.arguments = arguments,
                          .out = v("out", a.out),
                          .normalizer = v("normalizer", a.normalizer),
                          .workspace = workspace_of(a, v.operation, attention_forward_workspace(arguments))});
  });
}

weft_status weft_sdpa_backward(const weft_sdpa* call) {
  return c::run("sdpa_backward", call, [](const weft_sdpa& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const auto arguments = arguments_of<T>(a, v);
    attention_backward<T>(
        {.arguments = arguments,
         .out = v("out", a.out),
         .normalizer = v("normalizer", a.normalizer),
         .dout = v("dout", a.dout),
         .dq = v("dq", a.dq),
         .dk = v("dk", a.dk),
         .dv = v("dv", a.dv),
         .workspace = workspace_of(a, v.operation, attention_backward_workspace(arguments))});
  });
}

weft_status weft_sdpa_bias_gradient(const weft_sdpa* call) {
  return c::run("sdpa_bias_gradient", call, [](const weft_sdpa& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const auto arguments = arguments_of<T>(a, v);
    attention_bias_gradient<T>(
        {.arguments = arguments,
         .out = v("out", a.out),
         .normalizer = v("normalizer", a.normalizer),
         .dout = v("dout", a.dout),
         .dbias = v("dbias", a.dbias),
         .workspace = workspace_of(a, v.operation, attention_backward_workspace(arguments))});
  });
}

weft_status weft_sdpa_weights(const weft_sdpa* call) {
  return c::run("sdpa_weights", call, [](const weft_sdpa& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const auto arguments = arguments_of<T>(a, v);
    attention_weights<T>({.arguments = arguments,
                          .normalizer = v("normalizer", a.normalizer),
                          .weights = v("weights", a.weights),
                          .workspace = workspace_of(a, v.operation, attention_weights_workspace(arguments))});
  });
}

}  // extern "C"
