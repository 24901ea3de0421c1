// weftnn._core: softmax cross-entropy. Leading axes are already one: logits [R, V], targets [R].
#include "weft/loss.hpp"

#include <array>

#include "arrays.hpp"
#include "flat.hpp"
#include "indices.hpp"
#include "new_array.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

template <class T>
View<const int64_t, 1> target_view(const char* operation, const py::array& targets,
                                   const View<const T, 2>& logits, int64_t ignore_index) {
  const int64_t classes = logits.shape[1];
  if (classes < 1)
    throw py::value_error(std::string(operation) + ": logits must have at least 1 class, got 0");
  return indices_below(
      operation, "targets", targets, classes, ignore_index,
      "in [0, V) = [0, " + std::to_string(classes) + ") or ignore_index = " + std::to_string(ignore_index));
}

/// (losses [R], normalizer [R, 2], their sum, the sum of weights)
py::tuple py_forward(const py::object& logits, const py::array& targets, const py::object& weight,
                     int64_t ignore_index, double label_smoothing) {
  const char* operation = "softmax_cross_entropy_forward";
  return by_dtype(operation, "logits", logits, [&](auto zero) -> py::tuple {
    using T = decltype(zero);
    py::object keep;
    CrossEntropyForward<T> call{.logits = input<T, 2>(operation, "logits", logits, keep),
                                .ignore_index = ignore_index,
                                .label_smoothing = label_smoothing};
    call.targets = target_view(operation, targets, call.logits, ignore_index);
    call.weight = optional_flat_input<T>(operation, "weight", weight);
    const NewArray<T, 1> losses({call.logits.shape[0]});
    const NewArray<T, 2> normalizer({call.logits.shape[0], 2});
    call.losses = losses.view, call.normalizer = normalizer.view;
    CrossEntropyTotals totals;
    {
      py::gil_scoped_release release;
      totals = softmax_cross_entropy_forward(call);
    }
    return py::make_tuple(losses.array, normalizer.array, totals.loss, totals.weight);
  });
}

py::array py_backward(const py::object& logits, const py::array& targets, const py::object& weight,
                      int64_t ignore_index, double label_smoothing, const py::object& normalizer,
                      double scale, const py::object& dlosses) {
  const char* operation = "softmax_cross_entropy_backward";
  return by_dtype(operation, "logits", logits, [&](auto zero) -> py::array {
    using T = decltype(zero);
    std::array<py::object, 2> keep;
    CrossEntropyBackward<T> call{.logits = input<T, 2>(operation, "logits", logits, keep[0]),
                                 .ignore_index = ignore_index,
                                 .label_smoothing = label_smoothing,
                                 .scale = scale};
    call.targets = target_view(operation, targets, call.logits, ignore_index);
    call.weight = optional_flat_input<T>(operation, "weight", weight);
    call.normalizer = input<T, 2>(operation, "normalizer", normalizer, keep[1]);
    call.dlosses = optional_flat_input<T>(operation, "dloss", dlosses);
    const NewArray<T, 2> dlogits(call.logits.shape);
    call.dlogits = dlogits.view;
    {
      py::gil_scoped_release release;
      softmax_cross_entropy_backward(call);
    }
    return dlogits.array;
  });
}

}  // namespace

void register_loss(py::module_& module) {
  module.def("softmax_cross_entropy_forward", &py_forward);
  module.def("softmax_cross_entropy_backward", &py_backward);
}
