// softmax_cross_entropy: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"
#include "weft/loss.hpp"

namespace weft {
namespace {

/// What forward and backward have in common.
template <class Call>
void check(const char* operation, const Call& call) {
  const int64_t rows = call.logits.shape[0], classes = call.logits.shape[1];
  check_view(operation, "logits", call.logits, "(R, V)", {rows, classes});
  if (classes < 1)
    fail(operation, "logits must have at least 1 class, got shape " + shape_text(call.logits.shape.at, 2));
  check_view(operation, "targets", call.targets, "(R,)", {rows});
  check_optional(operation, "weight", call.weight, "(R,)", {rows});
  check_number(operation, "label_smoothing", call.label_smoothing, 0, 1);
  const int64_t position = find_index_outside(call.targets, classes, call.ignore_index);
  if (position >= 0)
    fail(operation, "targets must be in [0, V) = [0, " + std::to_string(classes) +
                        ") or ignore_index = " + std::to_string(call.ignore_index) + ", got " +
                        std::to_string(call.targets.data[position]) + " at index " +
                        std::to_string(position));
}

template <class Call>
int threads_for_rows(const Call& call) {
  return threads_for(double(call.logits.shape[0]) * (20 + 0.4 * double(call.logits.shape[1])), call.threads);
}

}  // namespace

template <class T>
CrossEntropyTotals softmax_cross_entropy_forward(const CrossEntropyForward<T>& call) {
  const char* operation = "softmax_cross_entropy_forward";
  const int64_t rows = call.logits.shape[0];
  check(operation, call);
  check_view(operation, "losses", call.losses, "(R,)", {rows});
  if (call.normalizer) check_contiguous(operation, "normalizer", call.normalizer, "(R, 2)", {rows, 2});
  return kernels<T>(current_table()).loss->cross_entropy_forward(call, threads_for_rows(call));
}

template <class T>
void softmax_cross_entropy_backward(const CrossEntropyBackward<T>& call) {
  const char* operation = "softmax_cross_entropy_backward";
  const int64_t rows = call.logits.shape[0];
  check(operation, call);
  check_contiguous(operation, "normalizer", call.normalizer, "(R, 2)", {rows, 2});
  check_optional(operation, "dlosses", call.dlosses, "(R,)", {rows});
  check_view(operation, "dlogits", call.dlogits, "(R, V)", call.logits.shape);
  kernels<T>(current_table()).loss->cross_entropy_backward(call, threads_for_rows(call));
}

template CrossEntropyTotals softmax_cross_entropy_forward(const CrossEntropyForward<float>&);
template CrossEntropyTotals softmax_cross_entropy_forward(const CrossEntropyForward<double>&);
template void softmax_cross_entropy_backward(const CrossEntropyBackward<float>&);
template void softmax_cross_entropy_backward(const CrossEntropyBackward<double>&);

}  // namespace weft
