// weftnn._core: additive attention scores.
#include "weft/additive_scores.hpp"

#include <array>

#include "arrays.hpp"
#include "memory.hpp"
#include "new_array.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

py::array py_additive_scores_forward(const py::object& q, const py::object& k, const py::object& weight) {
  const char* operation = "additive_scores_forward";
  return by_dtype(operation, "q", q, [&](auto zero) -> py::array {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    const auto q_view = input<T, 3>(operation, "q", q, keep[0]);
    const auto k_view = input<T, 3>(operation, "k", k, keep[1]);
    const auto weight_view = input<T, 1>(operation, "weight", weight, keep[2]);
    const NewArray<T, 3> scores({q_view.shape[0], q_view.shape[1], k_view.shape[1]});
    {
      py::gil_scoped_release release;
      additive_scores_forward<T>(q_view, k_view, weight_view, scores.view);
    }
    return scores.array;
  });
}

py::tuple py_additive_scores_backward(const py::object& q, const py::object& k, const py::object& weight,
                                      const py::object& dscores, const py::object& dweight) {
  const char* operation = "additive_scores_backward";
  return by_dtype(operation, "q", q, [&](auto zero) -> py::tuple {
    using T = decltype(zero);
    std::array<py::object, 4> keep;
    const auto q_view = input<T, 3>(operation, "q", q, keep[0]);
    const auto k_view = input<T, 3>(operation, "k", k, keep[1]);
    const auto weight_view = input<T, 1>(operation, "weight", weight, keep[2]);
    const auto dscores_view = input<T, 3>(operation, "dscores", dscores, keep[3]);
    const auto dweight_view = output<T, 1>(operation, "dweight", dweight);
    const NewArray<T, 3> dq(q_view.shape), dk(k_view.shape);
    {
      py::gil_scoped_release release;
      const int64_t size =
          additive_scores_backward_workspace<T>(k_view.shape[0], k_view.shape[1], k_view.shape[2]);
      const Memory memory = acquire(size_t(size) * sizeof(T));
      additive_scores_backward<T>(q_view, k_view, weight_view, dscores_view, dq.view, dk.view, dweight_view,
                                  View<T, 1>(static_cast<T*>(memory.get()), {size}));
    }
    return py::make_tuple(dq.array, dk.array);
  });
}

}  // namespace

void register_additive_scores(py::module_& module) {
  module.def("additive_scores_forward", &py_additive_scores_forward);
  module.def("additive_scores_backward", &py_additive_scores_backward);
}
