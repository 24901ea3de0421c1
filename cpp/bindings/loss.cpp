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
    const auto logits_view = input<T, 2>(operation, "logits", logits, keep);
    const auto targets_flat = target_view(operation, targets, logits_view, ignore_index);
    const auto weight_view = optional_flat_input<T>(operation, "weight", weight);
    const NewArray<T, 1> losses({logits_view.shape[0]});
    const NewArray<T, 2> normalizer({logits_view.shape[0], 2});
    CrossEntropyTotals totals;
    {
      py::gil_scoped_release release;
      totals =
          softmax_cross_entropy_forward<T>(logits_view, targets_flat, weight_view,
                                           {ignore_index, label_smoothing}, losses.view, normalizer.view);
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
    const auto logits_view = input<T, 2>(operation, "logits", logits, keep[0]);
    const auto targets_flat = target_view(operation, targets, logits_view, ignore_index);
    const auto weight_view = optional_flat_input<T>(operation, "weight", weight);
    const auto normalizer_view = input<T, 2>(operation, "normalizer", normalizer, keep[1]);
    const auto dlosses_view = optional_flat_input<T>(operation, "dloss", dlosses);
    const NewArray<T, 2> dlogits({logits_view.shape[0], logits_view.shape[1]});
    {
      py::gil_scoped_release release;
      softmax_cross_entropy_backward<T>(logits_view, targets_flat, weight_view,
                                        {ignore_index, label_smoothing}, normalizer_view, scale, dlosses_view,
                                        dlogits.view);
    }
    return dlogits.array;
  });
}

}  // namespace

void register_loss(py::module_& module) {
  module.def("softmax_cross_entropy_forward", &py_forward);
  module.def("softmax_cross_entropy_backward", &py_backward);
}
