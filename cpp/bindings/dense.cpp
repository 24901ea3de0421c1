// weftnn._core: linear, embedding, layer normalisation. Leading axes are already one: matrices [R, I].
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

py::array py_linear_forward(const py::object& x, const py::object& weight, const py::object& bias) {
  const char* operation = "linear_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::array {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    LinearForward<T> call{.x = input<T, 2>(operation, "x", x, keep[0]),
                          .weight = input<T, 2>(operation, "weight", weight, keep[1]),
                          .bias = input<T, 1>(operation, "bias", bias, keep[2])};
    const NewArray<T, 2> y({call.x.shape[0], call.weight.shape[0]});
    call.y = y.view;
    long_call([&] {
      const Memory memory = bring_workspace(call, linear_forward_workspace(call));
      linear_forward(call);
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
    LinearBackward<T> call{.x = input<T, 2>(operation, "x", x, keep[0]),
                           .weight = input<T, 2>(operation, "weight", weight, keep[1]),
                           .dy = input<T, 2>(operation, "dy", dy, keep[2]),
                           .dweight = output<T, 2>(operation, "dweight", dweight),
                           .dbias = output<T, 1>(operation, "dbias", dbias)};
    py::object dx = py::none();
    if (need_dx) {
      const NewArray<T, 2> fresh(call.x.shape);
      call.dx = fresh.view, dx = fresh.array;
    }
    long_call([&] {
      const Memory memory = bring_workspace(call, linear_backward_workspace(call));
      linear_backward(call);
    });
    return dx;
  });
}

View<const int64_t, 1> rows_of(const char* operation, const py::array& indices, int64_t vocabulary) {
  return indices_below(operation, "indices", indices, vocabulary, 0,
                       "in [0, V) = [0, " + std::to_string(vocabulary) + ")");
}

py::array py_embedding_forward(const py::array& indices, const py::object& weight) {
  const char* operation = "embedding_forward";
  return by_dtype(operation, "weight", weight, [&](auto zero) -> py::array {
    using T = decltype(zero);
    py::object keep;
    EmbeddingForward<T> call{.weight = input<T, 2>(operation, "weight", weight, keep)};
    call.indices = rows_of(operation, indices, call.weight.shape[0]);
    const NewArray<T, 2> y({call.indices.shape[0], call.weight.shape[1]});
    call.y = y.view;
    {
      py::gil_scoped_release release;
      embedding_forward(call);
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
    EmbeddingBackward<T> call{.dy = input<T, 2>(operation, "dy", dy, keep),
                              .dweight = output<T, 2>(operation, "dweight", dweight),
                              .padding_index = padding_index};
    call.indices = rows_of(operation, indices, call.dweight.shape[0]);
    py::gil_scoped_release release;
    embedding_backward(call);
  });
}

py::tuple py_layer_norm_forward(const py::object& x, const py::object& weight, const py::object& bias,
                                double eps) {
  const char* operation = "layer_norm_forward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::tuple {
    using T = decltype(zero);
    std::array<py::object, 3> keep;
    LayerNormForward<T> call{.x = input<T, 2>(operation, "x", x, keep[0]),
                             .weight = input<T, 1>(operation, "weight", weight, keep[1]),
                             .bias = input<T, 1>(operation, "bias", bias, keep[2]),
                             .eps = eps};
    const int64_t rows = call.x.shape[0];
    const NewArray<T, 2> y(call.x.shape), mean({rows, 2});
    const NewArray<T, 1> inverse_deviation({rows});
    call.y = y.view, call.mean = mean.view, call.inverse_deviation = inverse_deviation.view;
    {
      py::gil_scoped_release release;
      layer_norm_forward(call);
    }
    return py::make_tuple(y.array, mean.array, inverse_deviation.array);
  });
}

py::object py_layer_norm_backward(const py::object& x, const py::object& weight, const py::object& mean,
                                  const py::object& inverse_deviation, const py::object& dy, bool need_dx,
                                  const py::object& dweight, const py::object& dbias) {
  const char* operation = "layer_norm_backward";
  return by_dtype(operation, "x", x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    std::array<py::object, 5> keep;
    LayerNormBackward<T> call{
        .x = input<T, 2>(operation, "x", x, keep[0]),
        .weight = input<T, 1>(operation, "weight", weight, keep[1]),
        .mean = input<T, 2>(operation, "mean", mean, keep[2]),
        .inverse_deviation = input<T, 1>(operation, "inverse_deviation", inverse_deviation, keep[3]),
        .dy = input<T, 2>(operation, "dy", dy, keep[4]),
        .dweight = output<T, 1>(operation, "dweight", dweight),
        .dbias = output<T, 1>(operation, "dbias", dbias)};
    py::object dx = py::none();
    if (need_dx) {
      const NewArray<T, 2> fresh(call.x.shape);
      call.dx = fresh.view, dx = fresh.array;
    }
    {
      py::gil_scoped_release release;
      const Memory memory = bring_workspace(call, layer_norm_backward_workspace(call));
      layer_norm_backward(call);
    }
    return dx;
  });
}

}  // namespace

void register_dense(py::module_& module) {
  module.def("linear_forward", &py_linear_forward);
  module.def("linear_backward", &py_linear_backward);
  module.def("embedding_forward", &py_embedding_forward);
  module.def("embedding_backward", &py_embedding_backward);
  module.def("layer_norm_forward", &py_layer_norm_forward);
  module.def("layer_norm_backward", &py_layer_norm_backward);
}
