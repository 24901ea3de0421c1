// The C interface: softmax cross-entropy.
#include "weft/loss.hpp"

#include "src/c/call.hpp"

using namespace weft;

namespace {

CrossEntropyOptions options_of(const weft_cross_entropy& a) {
  return {.ignore_index = a.ignore ? a.ignore_index : INT64_MIN, .label_smoothing = a.label_smoothing};
}

}  // namespace

extern "C" {

weft_status weft_cross_entropy_forward(const weft_cross_entropy* call, double* loss, double* weight) {
  return c::run("cross_entropy_forward", call,
                [&](const weft_cross_entropy& a, const c::Views& v, auto zero) {
                  using T = decltype(zero);
                  const CrossEntropyTotals totals = softmax_cross_entropy_forward<T>(
                      v("logits", a.logits), v("targets", a.targets), v("weight", a.weight), options_of(a),
                      v("losses", a.losses), v("normalizer", a.normalizer), a.threads);
                  if (loss != nullptr) *loss = totals.loss;
                  if (weight != nullptr) *weight = totals.weight;
                });
}

weft_status weft_cross_entropy_backward(const weft_cross_entropy* call) {
  return c::run(
      "cross_entropy_backward", call, [](const weft_cross_entropy& a, const c::Views& v, auto zero) {
        using T = decltype(zero);
        softmax_cross_entropy_backward<T>(v("logits", a.logits), v("targets", a.targets),
                                          v("weight", a.weight), options_of(a), v("normalizer", a.normalizer),
                                          a.scale, v("dlosses", a.dlosses), v("dlogits", a.dlogits),
                                          a.threads);
      });
}

}  // extern "C"
