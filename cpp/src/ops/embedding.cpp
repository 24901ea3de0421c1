// embedding: validation and dispatch.
#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/dense.hpp"

namespace weft {
namespace {

void check_indices(const char* operation, View<const int64_t, 1> indices, int64_t vocabulary) {
  check_view(operation, "indices", indices, "(R,)", {indices.shape[0]});
  const int64_t position = find_index_outside(indices, vocabulary);
  if (position >= 0)
    fail(operation, "indices must be in [0, V) = [0, " + std::to_string(vocabulary) + "), got " +
                        std::to_string(indices.data[position]) + " at index " + std::to_string(position));
}

}  // namespace

int64_t find_index_outside(View<const int64_t, 1> indices, int64_t size, int64_t ignored) {
  for (int64_t i = 0; i < indices.shape[0]; ++i) {
    const int64_t index = indices.data[i * indices.stride[0]];
    if ((index < 0 || index >= size) && (index != ignored || ignored == 0)) return i;
  }
  return -1;
}

template <class T>
void embedding_forward(View<const int64_t, 1> indices, View<const T, 2> weight, View<T, 2> y, int threads) {
  const char* operation = "embedding_forward";
  const int64_t rows = indices.shape[0], size = weight.shape[1];
  check_view(operation, "weight", weight, "(V, D)", {weight.shape[0], size});
  check_indices(operation, indices, weight.shape[0]);
  check_view(operation, "y", y, "(R, D)", {rows, size});
  if (are_empty(y)) return;
  kernels<T>(current_table())
      .dense->embedding_forward({.rows = rows,
                                 .size = size,
                                 .indices = indices.data,
                                 .weight = weight.data,
                                 .weight_row = weight.stride[0],
                                 .y = y.data,
                                 .y_row = y.stride[0]},
                                threads_for(double(rows) * double(size) * sizeof(T) / 30, threads));
}

template <class T>
void embedding_backward(View<const int64_t, 1> indices, View<const T, 2> dy, View<T, 2> dweight,
                        int64_t padding_index, int threads) {
  const char* operation = "embedding_backward";
  const int64_t rows = indices.shape[0], size = dweight.shape[1];
  check_view(operation, "dweight", dweight, "(V, D)", {dweight.shape[0], size});
  check_indices(operation, indices, dweight.shape[0]);
  check_view(operation, "dy", dy, "(R, D)", {rows, size});
  if (are_empty(dweight)) return;
  kernels<T>(current_table())
      .dense->embedding_backward({.rows = rows,
                                  .size = size,
                                  .padding_index = padding_index,
                                  .indices = indices.data,
                                  .dy = dy.data,
                                  .dy_row = dy.stride[0],
                                  .dweight = dweight.data,
                                  .dweight_row = dweight.stride[0]},
                                 threads_for(double(rows) * double(size) * sizeof(T) / 60, threads));
}

template void embedding_forward(View<const int64_t, 1>, View<const float, 2>, View<float, 2>, int);
template void embedding_forward(View<const int64_t, 1>, View<const double, 2>, View<double, 2>, int);
template void embedding_backward(View<const int64_t, 1>, View<const float, 2>, View<float, 2>, int64_t, int);
template void embedding_backward(View<const int64_t, 1>, View<const double, 2>, View<double, 2>, int64_t,
                                 int);

}  // namespace weft
