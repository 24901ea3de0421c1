// The C interface: recurrent layers.
#include "weft/recurrent.hpp"

#include "src/c/call.hpp"
#include "src/runtime/cost.hpp"
#include "weft/config.hpp"

using namespace weft;

namespace {

template <class T>
RecurrentArguments<T> arguments_of(const weft_recurrent& a, const c::Views& v) {
  return {.cell = a.cell,
          .x = v("x", a.x),
          .w_ih = v("w_ih", a.w_ih),
          .w_hh = v("w_hh", a.w_hh),
          .b_ih = v("b_ih", a.b_ih),
          .b_hh = v("b_hh", a.b_hh),
          .extra = v("w_peephole", a.w_peephole),
          .w_proj = v("w_proj", a.w_proj),
          .h0 = v("h0", a.h0),
          .c0 = v("c0", a.c0),
          .lengths = v("lengths", a.lengths),
          .resets = v("resets", a.resets),
          .recurrent_dropout_mask = v("recurrent_dropout_mask", a.recurrent_dropout_mask),
          .zoneout_mask = v("zoneout_mask", a.zoneout_mask),
          .reverse = a.reverse != 0,
          .checkpoint_every = a.checkpoint_every,
          .threads = most_threads(a.threads),  // the same for sizes and call
          .operation = v.operation};
}

}  // namespace

extern "C" {

weft_status weft_recurrent_sizes(const weft_recurrent* call, weft_sizes* sizes) {
  const char* operation = "recurrent_sizes";
  return c::run(operation, call, [&](const weft_recurrent& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const RecurrentSizes needed = recurrent_sizes<T>(arguments_of<T>(a, v), a.training != 0);
    c::write(operation, "sizes",
             {sizeof(weft_sizes), needed.saved, needed.forward_workspace, needed.backward_workspace, 0},
             sizes);
  });
}

weft_status weft_recurrent_forward(const weft_recurrent* call) {
  return c::run("recurrent_forward", call, [](const weft_recurrent& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    RecurrentArguments<T> arguments = arguments_of<T>(a, v);
    arguments.isa = isa_place();
    const RecurrentSizes needed = recurrent_sizes<T>(arguments, a.training != 0);
    c::check_memory(v.operation, "workspace", a.workspace, a.workspace_bytes, needed.forward_workspace);
    if (a.training) c::check_memory(v.operation, "saved", a.saved, a.saved_bytes, needed.saved);
    recurrent_forward<T>({arguments,
                          {v("y", a.y), v("h_n", a.h_n), v("c_n", a.c_n)},
                          a.training ? a.saved : nullptr,
                          a.workspace});
  });
}

weft_status weft_recurrent_backward(const weft_recurrent* call) {
  return c::run("recurrent_backward", call, [](const weft_recurrent& a, const c::Views& v, auto zero) {
    using T = decltype(zero);
    const RecurrentArguments<T> arguments = arguments_of<T>(a, v);
    c::check_memory(v.operation, "saved", a.saved, a.saved_bytes, 64);  // at least what says how much it is
    c::check_memory(v.operation, "workspace", a.workspace, a.workspace_bytes,
                    recurrent_backward_workspace<T>(arguments, a.saved));
    const RecurrentGradientViews<T> gradients{.dy = v("dy", a.dy),
                                              .dh_n = v("dh_n", a.dh_n),
                                              .dc_n = v("dc_n", a.dc_n),
                                              .dx = v("dx", a.dx),
                                              .dw_ih = v("dw_ih", a.dw_ih),
                                              .dw_hh = v("dw_hh", a.dw_hh),
                                              .db_ih = v("db_ih", a.db_ih),
                                              .db_hh = v("db_hh", a.db_hh),
                                              .dh0 = v("dh0", a.dh0),
                                              .dc0 = v("dc0", a.dc0),
                                              .dextra = v("dw_peephole", a.dw_peephole),
                                              .dw_proj = v("dw_proj", a.dw_proj)};
    recurrent_backward<T>({arguments, gradients, a.saved, a.workspace});
  });
}

}  // extern "C"
