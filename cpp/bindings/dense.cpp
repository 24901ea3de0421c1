// weftnn._core: linear and embedding. Leading axes are already one: matrices [R, I].
#include "weft/dense.hpp"

#include <array>

#include "arrays.hpp"
#include "indices.hpp"
#include "long_call.hpp"
#include "memory.hpp"
#include "new_array.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

template <class T>
View<T, 1> workspace(const Memory& memory, int64_t size) {
  return {static_cast<T*>(memory.get()), {size}};
}

py::array py_linear_forward(const py::object& x, const py::object& weight, const py::object& bias) {
  const char* operation = "linear_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep[0]);
    const auto weight_view = input<T, 2>(operation, "weight", weight, keep[1]);
    const auto bias_view = input<T, 1>(operation, "bias", bias, keep[2]);
    const NewArray<T, 2> y({x_view.shape[0], weight_view.shape[0]});
    long_call([&] {
      const int64_t size = linear_forward_workspace<T>(x_view.shape[1], weight_view.shape[0]);
      const Memory memory = acquire(size_t(size) * sizeof(T));
      linear_forward<T>(x_view, weight_view, bias_view, y.view, workspace<T>(memory, size));
    });
    return y.array;
  });
}

py::object py_linear_backward(const py::object& x, const py::object& weight, const py::object& dy,
                              bool need_dx, const py::object& dweight, const py::object& dbias) {
  const char* operation = "linear_backward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    const auto x_view = input<T, 2>(operation, "x", x, keep[0]);
    const auto weight_view = input<T, 2>(operation, "weight", weight, keep[1]);
    const auto dy_view = input<T, 2>(operation, "dy", dy, keep[2]);
    const auto dweight_view = output<T, 2>(operation, "dweight", dweight);
    const auto dbias_view = output<T, 1>(operation, "dbias", dbias);
    py::object dx = py::none();
    View<T, 2> dx_view;
    if (need_dx) {
      const NewArray<T, 2> fresh({x_view.shape[0], x_view.shape[1]});
      dx_view = fresh.view;
      dx = fresh.array;
    }
    long_call([&] {
      const int64_t size = linear_backward_workspace<T>(x_view.shape[1], weight_view.shape[0]);
      const Memory memory = acquire(size_t(size) * sizeof(T));
      linear_backward<T>(x_view, weight_view, dy_view, dx_view, dweight_view, dbias_view,
                         workspace<T>(memory, size));
    });
    return dx;
  });
}

std::string expected_indices(int64_t vocabulary) {
  return "in [0, V) = [0, " + std::to_string(vocabulary) + ")";
}

py::array py_embedding_forward(const py::array& indices, const py::object& weight) {
  const char* operation = "embedding_forward";
  return by_dtype(operation, "weight", weight, [&](auto zero) -> py::array {
    using T = decltype(zero);
    py::object keep;
    const auto weight_view = input<T, 2>(operation, "weight", weight, keep);
    const int64_t vocabulary = weight_view.shape[0];
    const auto rows =
        indices_below(operation, "indices", indices, vocabulary, 0, expected_indices(vocabulary));
    const NewArray<T, 2> y({rows.shape[0], weight_view.shape[1]});
    {
      py::gil_scoped_release release;
      embedding_forward<T>(rows, weight_view, y.view);
    }
    return y.array;
  });
}

void py_embedding_backward(const py::array& indices, const py::object& dy, const py::object& dweight,
                           int64_t padding_index) {
  const char* operation = "embedding_backward";
  by_dtype(operation, "dweight", dweight, [&](auto zero) {
    using T = decltype(zero);
    py::object keep;
    const auto dy_view = input<T, 2>(operation, "dy", dy, keep);
    const auto dweight_view = output<T, 2>(operation, "dweight", dweight);
    const int64_t vocabulary = dweight_view.shape[0];
    const auto rows =
        indices_below(operation, "indices", indices, vocabulary, 0, expected_indices(vocabulary));
    py::gil_scoped_release release;
    embedding_backward<T>(rows, dy_view, dweight_view, padding_index);
  });
}

}  // namespace

void register_dense(py::module_& module) {
  module.def("linear_forward", &py_linear_forward);
  module.def("linear_backward", &py_linear_backward);
  module.def("embedding_forward", &py_embedding_forward);
  module.def("embedding_backward", &py_embedding_backward);
}
