// Additive attention scores: validation and dispatch.
#include "weft/additive_scores.hpp"

#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"

namespace weft {
namespace {

/// B, T, S, A
struct Sizes {
  int64_t batch, queries, keys, size;

  /// Nanoseconds, of tanh alone.
  double cost() const { return 0.3 * double(batch) * double(queries) * double(keys) * double(size); }
};

template <class Call>
Sizes check(const char* operation, const Call& call) {
  const auto [batch, queries, size] = call.q.shape.at;
  const int64_t keys = call.k.shape[1];
  check_view(operation, "q", call.q, "(B, T, A)", {batch, queries, size});
  check_view(operation, "k", call.k, "(B, S, A)", {batch, keys, size});
  check_view(operation, "weight", call.weight, "(A,)", {size});
  return {batch, queries, keys, size};
}

}  // namespace

template <class T>
void additive_scores_forward(const AdditiveScoresForward<T>& call) {
  const char* operation = "additive_scores_forward";
  const Sizes n = check(operation, call);
  check_view(operation, "scores", call.scores, "(B, T, S)", {n.batch, n.queries, n.keys});
  if (are_empty(call.scores)) return;
  kernels<T>(current_table()).additive_scores->forward(call, threads_for(n.cost(), call.threads));
}

template <class T>
size_t additive_scores_backward_workspace(const AdditiveScoresBackward<T>& call) {
  const char* operation = "additive_scores_backward";
  const auto [batch, keys, size] = call.k.shape.at;
  const int most = most_threads(call.threads);
  const auto product = [&](int64_t a, int64_t b) {
    return checked_product(operation, "the workspace", a, b);
  };
  constexpr int64_t padding = 64;  // a vector's elements, at most
  const int64_t elements =
      checked_sum(operation, "the workspace", product(batch, checked_sum(operation, "A", size, padding)),
                  product(product(keys, padding), 2 * int64_t(most)));
  product(elements, sizeof(T));
  return largest_size([batch = batch, keys = keys, size = size, most](const KernelTable& table) {
    return kernels<T>(table).additive_scores->backward_workspace(batch, keys, size, most);
  });
}

template <class T>
void additive_scores_backward(const AdditiveScoresBackward<T>& call) {
  const char* operation = "additive_scores_backward";
  const Sizes n = check(operation, call);
  check_view(operation, "dscores", call.dscores, "(B, T, S)", {n.batch, n.queries, n.keys});
  check_view(operation, "dq", call.dq, "(B, T, A)", call.q.shape);
  check_view(operation, "dk", call.dk, "(B, S, A)", call.k.shape);
  check_view(operation, "dweight", call.dweight, "(A,)", {n.size});
  const AdditiveScoresKernels<T>& family = *kernels<T>(current_table()).additive_scores;
  const auto needed = [&](int count) { return family.backward_workspace(n.batch, n.keys, n.size, count); };
  check_workspace(operation, call, needed(1));
  if (are_empty(call.dq, call.dk, call.dweight)) return;
  family.backward(call, fitting_threads(2 * n.cost(), call.threads, call.workspace_bytes, needed));
}

template void additive_scores_forward(const AdditiveScoresForward<float>&);
template void additive_scores_forward(const AdditiveScoresForward<double>&);
template size_t additive_scores_backward_workspace(const AdditiveScoresBackward<float>&);
template size_t additive_scores_backward_workspace(const AdditiveScoresBackward<double>&);
template void additive_scores_backward(const AdditiveScoresBackward<float>&);
template void additive_scores_backward(const AdditiveScoresBackward<double>&);

}  // namespace weft
