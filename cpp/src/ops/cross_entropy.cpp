// softmax_cross_entropy: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"
#include "weft/loss.hpp"

namespace weft {
namespace {

template <class T>
void check(const char* operation, View<const T, 2> logits, View<const int64_t, 1> targets,
           View<const T, 1> weight, const CrossEntropyOptions& options) {
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  check_view(operation, "logits", logits, "(R, V)", {rows, classes});
  if (classes < 1)
    fail(operation, "logits must have at least 1 class, got shape " + shape_text(logits.shape.at, 2));
  check_view(operation, "targets", targets, "(R,)", {rows});
  check_optional(operation, "weight", weight, "(R,)", {rows});
  check_number(operation, "label_smoothing", options.label_smoothing, 0, 1);
  const int64_t position = find_index_outside(targets, classes, options.ignore_index);
  if (position >= 0)
    fail(operation, "targets must be in [0, V) = [0, " + std::to_string(classes) +
                        ") or ignore_index = " + std::to_string(options.ignore_index) + ", got " +
                        std::to_string(targets.data[position]) + " at index " + std::to_string(position));
}

template <class T>
int threads_for_rows(View<const T, 2> logits, int threads) {
  return threads_for(double(logits.shape[0]) * (20 + 0.4 * double(logits.shape[1])), threads);
}

}  // namespace

template <class T>
CrossEntropyTotals softmax_cross_entropy_forward(View<const T, 2> logits, View<const int64_t, 1> targets,
                                                 View<const T, 1> weight, const CrossEntropyOptions& options,
                                                 View<T, 1> losses, View<T, 2> normalizer, int threads) {
  const char* operation = "softmax_cross_entropy_forward";
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  check(operation, logits, targets, weight, options);
  check_view(operation, "losses", losses, "(R,)", {rows});
  check_optional(operation, "normalizer", normalizer, "(R, 2)", {rows, 2});
  if (normalizer && rows > 1 && normalizer.stride[0] != 2) fail(operation, "normalizer must be contiguous");
  const CrossEntropySums sums =
      kernels<T>(current_table())
          .pointwise->cross_entropy_forward({.rows = rows,
                                             .classes = classes,
                                             .logits = logits.data,
                                             .logits_row = logits.stride[0],
                                             .targets = targets.data,
                                             .weight = weight.data,
                                             .ignore_index = options.ignore_index,
                                             .label_smoothing = options.label_smoothing,
                                             .losses = losses.data,
                                             .normalizer = normalizer.data},
                                            threads_for_rows(logits, threads));
  return {sums.loss, sums.weight};
}

template <class T>
void softmax_cross_entropy_backward(View<const T, 2> logits, View<const int64_t, 1> targets,
                                    View<const T, 1> weight, const CrossEntropyOptions& options,
                                    View<const T, 2> normalizer, double scale, View<const T, 1> dlosses,
                                    View<T, 2> dlogits, int threads) {
  const char* operation = "softmax_cross_entropy_backward";
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  check(operation, logits, targets, weight, options);
  check_view(operation, "normalizer", normalizer, "(R, 2)", {rows, 2});
  if (rows > 1 && normalizer.stride[0] != 2) fail(operation, "normalizer must be contiguous");
  check_optional(operation, "dlosses", dlosses, "(R,)", {rows});
  check_view(operation, "dlogits", dlogits, "(R, V)", {rows, classes});
  kernels<T>(current_table())
      .pointwise->cross_entropy_backward({.rows = rows,
                                          .classes = classes,
                                          .logits = logits.data,
                                          .logits_row = logits.stride[0],
                                          .targets = targets.data,
                                          .weight = weight.data,
                                          .normalizer = normalizer.data,
                                          .ignore_index = options.ignore_index,
                                          .label_smoothing = options.label_smoothing,
                                          .scale = scale,
                                          .dlosses = dlosses.data,
                                          .dlogits = dlogits.data,
                                          .dlogits_row = dlogits.stride[0]},
                                         threads_for_rows(logits, threads));
}

template CrossEntropyTotals softmax_cross_entropy_forward(View<const float, 2>, View<const int64_t, 1>,
                                                          View<const float, 1>, const CrossEntropyOptions&,
                                                          View<float, 1>, View<float, 2>, int);
template CrossEntropyTotals softmax_cross_entropy_forward(View<const double, 2>, View<const int64_t, 1>,
                                                          View<const double, 1>, const CrossEntropyOptions&,
                                                          View<double, 1>, View<double, 2>, int);
template void softmax_cross_entropy_backward(View<const float, 2>, View<const int64_t, 1>,
                                             View<const float, 1>, const CrossEntropyOptions&,
                                             View<const float, 2>, double, View<const float, 1>,
                                             View<float, 2>, int);
template void softmax_cross_entropy_backward(View<const double, 2>, View<const int64_t, 1>,
                                             View<const double, 1>, const CrossEntropyOptions&,
                                             View<const double, 2>, double, View<const double, 1>,
                                             View<double, 2>, int);

}  // namespace weft
