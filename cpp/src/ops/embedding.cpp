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
void embedding_forward(const EmbeddingForward<T>& call) {
  const char* operation = "embedding_forward";
  const int64_t rows = call.indices.shape[0], size = call.weight.shape[1];
  check_view(operation, "weight", call.weight, "(V, D)", {call.weight.shape[0], size});
  check_indices(operation, call.indices, call.weight.shape[0]);
  check_view(operation, "y", call.y, "(R, D)", {rows, size});
  if (are_empty(call.y)) return;
  const double cost = double(rows) * double(size) * sizeof(T) / 30;
  kernels<T>(current_table()).dense->embedding_forward(call, threads_for(cost, call.threads));
}

template <class T>
void embedding_backward(const EmbeddingBackward<T>& call) {
  const char* operation = "embedding_backward";
  const int64_t rows = call.indices.shape[0], size = call.dweight.shape[1];
  check_view(operation, "dweight", call.dweight, "(V, D)", {call.dweight.shape[0], size});
  check_indices(operation, call.indices, call.dweight.shape[0]);
  check_view(operation, "dy", call.dy, "(R, D)", {rows, size});
  if (are_empty(call.dweight)) return;
  const double cost = double(rows) * double(size) * sizeof(T) / 60;
  kernels<T>(current_table()).dense->embedding_backward(call, threads_for(cost, call.threads));
}

template void embedding_forward(const EmbeddingForward<float>&);
template void embedding_forward(const EmbeddingForward<double>&);
template void embedding_backward(const EmbeddingBackward<float>&);
template void embedding_backward(const EmbeddingBackward<double>&);

}  // namespace weft
