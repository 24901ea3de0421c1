// The C interface: softmax cross-entropy.
#include "weft/loss.hpp"

#include "src/c/call.hpp"

using namespace weft;

extern "C" {

weft_status weft_cross_entropy_forward(const weft_cross_entropy* call, double* loss, double* weight) {
  return c::run("cross_entropy_forward", call,
                [&](const weft_cross_entropy& a, const c::Views& v, auto zero) {
                  using T = decltype(zero);
                  const CrossEntropyTotals totals =
                      softmax_cross_entropy_forward<T>({.logits = v("logits", a.logits),
                                                        .targets = v("targets", a.targets),
                                                        .weight = v("weight", a.weight),
                                                        .ignore_index = a.ignore ? a.ignore_index : INT64_MIN,
                                                        .label_smoothing = a.label_smoothing,
                                                        .losses = v("losses", a.losses),
                                                        .normalizer = v("normalizer", a.normalizer),
                                                        .threads = a.threads});
                  if (loss != nullptr) *loss = totals.loss;
                  if (weight != nullptr) *weight = totals.weight;
                });
}

weft_status weft_cross_entropy_backward(const weft_cross_entropy* call) {
  return c::run("cross_entropy_backward", call,
                [](const weft_cross_entropy& a, const c::Views& v, auto zero) {
                  using T = decltype(zero);
                  softmax_cross_entropy_backward<T>({.logits = v("logits", a.logits),
                                                     .targets = v("targets", a.targets),
                                                     .weight = v("weight", a.weight),
                                                     .ignore_index = a.ignore ? a.ignore_index : INT64_MIN,
                                                     .label_smoothing = a.label_smoothing,
                                                     .normalizer = v("normalizer", a.normalizer),
                                                     .scale = a.scale,
                                                     .dlosses = v("dlosses", a.dlosses),
                                                     .dlogits = v("dlogits", a.dlogits),
                                                     .threads = a.threads});
                });
}

}  // extern "C"
