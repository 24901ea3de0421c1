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
    AdditiveScoresForward<T> call{.q = input<T, 3>(operation, "q", q, keep[0]),
                                  .k = input<T, 3>(operation, "k", k, keep[1]),
                                  .weight = input<T, 1>(operation, "weight", weight, keep[2])};
    const NewArray<T, 3> scores({call.q.shape[0], call.q.shape[1], call.k.shape[1]});
    call.scores = scores.view;
    {
      py::gil_scoped_release release;
      additive_scores_forward(call);
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
    AdditiveScoresBackward<T> call{.q = input<T, 3>(operation, "q", q, keep[0]),
                                   .k = input<T, 3>(operation, "k", k, keep[1]),
                                   .weight = input<T, 1>(operation, "weight", weight, keep[2]),
                                   .dscores = input<T, 3>(operation, "dscores", dscores, keep[3]),
                                   .dweight = output<T, 1>(operation, "dweight", dweight)};
    const NewArray<T, 3> dq(call.q.shape), dk(call.k.shape);
    call.dq = dq.view, call.dk = dk.view;
    {
      py::gil_scoped_release release;
      const Memory memory = bring_workspace(call, additive_scores_backward_workspace(call));
      additive_scores_backward(call);
    }
    return py::make_tuple(dq.array, dk.array);
  });
}

}  // namespace

void register_additive_scores(py::module_& module) {
  module.def("additive_scores_forward", &py_additive_scores_forward);
  module.def("additive_scores_backward", &py_additive_scores_backward);
}
