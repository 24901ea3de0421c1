// Additive attention scores: validation and dispatch.
#include "weft/additive_scores.hpp"

#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"

namespace weft {
namespace {

template <class T>
const AdditiveScoresKernels<T>& additive_scores(const KernelTable& table = current_table()) {
  return *kernels<T>(table).additive_scores;
}

template <class T>
AdditiveScores<T> checked(const char* operation, View<const T, 3> q, View<const T, 3> k,
                          View<const T, 1> weight) {
  const auto [batch, queries, size] = q.shape.at;
  const int64_t keys = k.shape[1];
  check_view(operation, "q", q, "(B, T, A)", {batch, queries, size});
  check_view(operation, "k", k, "(B, S, A)", {batch, keys, size});
  check_view(operation, "weight", weight, "(A,)", {size});
  return {.batch = batch,
          .queries = queries,
          .keys = keys,
          .size = size,
          .q = q.data,
          .q_stride = {q.stride[0], q.stride[1]},
          .k = k.data,
          .k_stride = {k.stride[0], k.stride[1]},
          .weight = weight.data};
}

/// Nanoseconds, of tanh alone.
template <class T>
double cost(const AdditiveScores<T>& p) {
  return 0.3 * double(p.batch) * double(p.queries) * double(p.keys) * double(p.size);
}

}  // namespace

template <class T>
void additive_scores_forward(View<const T, 3> q, View<const T, 3> k, View<const T, 1> weight,
                             View<T, 3> scores, int threads) {
  const char* operation = "additive_scores_forward";
  const AdditiveScores<T> arguments = checked(operation, q, k, weight);
  check_view(operation, "scores", scores, "(B, T, S)", {arguments.batch, arguments.queries, arguments.keys});
  if (are_empty(scores)) return;
  additive_scores<T>().forward(
      {.arguments = arguments, .scores = scores.data, .scores_stride = {scores.stride[0], scores.stride[1]}},
      threads_for(cost(arguments), threads));
}

template <class T>
int64_t additive_scores_backward_workspace(int64_t batch, int64_t keys, int64_t size, int threads) {
  const char* operation = "additive_scores_backward";
  const auto product = [&](int64_t a, int64_t b) {
    return checked_product(operation, "the workspace", a, b);
  };
  constexpr int64_t padding = 64;  // a vector's elements, at most
  checked_sum(operation, "the workspace", product(batch, checked_sum(operation, "A", size, padding)),
              product(product(keys, padding), 2 * int64_t(most_threads(threads))));
  return largest_size([&, most = most_threads(threads)](const KernelTable& table) {
    return additive_scores<T>(table).backward_workspace(batch, keys, size, most);
  });
}

template <class T>
void additive_scores_backward(View<const T, 3> q, View<const T, 3> k, View<const T, 1> weight,
                              View<const T, 3> dscores, View<T, 3> dq, View<T, 3> dk, View<T, 1> dweight,
                              View<T, 1> workspace, int threads) {
  const char* operation = "additive_scores_backward";
  const AdditiveScores<T> arguments = checked(operation, q, k, weight);
  const int64_t batch = arguments.batch, queries = arguments.queries, keys = arguments.keys,
                size = arguments.size;
  check_view(operation, "dscores", dscores, "(B, T, S)", {batch, queries, keys});
  check_view(operation, "dq", dq, "(B, T, A)", {batch, queries, size});
  check_view(operation, "dk", dk, "(B, S, A)", {batch, keys, size});
  check_view(operation, "dweight", dweight, "(A,)", {size});
  const AdditiveScoresKernels<T>& family = additive_scores<T>();
  const auto needed = [&](int count) {
    return family.backward_workspace(arguments.batch, arguments.keys, arguments.size, count);
  };
  check_workspace(operation, workspace, needed(1));
  if (are_empty(dq, dk, dweight)) return;
  family.backward({.arguments = arguments,
                   .dscores = dscores.data,
                   .dscores_stride = {dscores.stride[0], dscores.stride[1]},
                   .dq = dq.data,
                   .dq_stride = {dq.stride[0], dq.stride[1]},
                   .dk = dk.data,
                   .dk_stride = {dk.stride[0], dk.stride[1]},
                   .dweight = dweight.data,
                   .workspace = workspace.data},
                  fitting_threads(2 * cost(arguments), threads, workspace.shape[0], needed));
}

template void additive_scores_forward(View<const float, 3>, View<const float, 3>, View<const float, 1>,
                                      View<float, 3>, int);
template void additive_scores_forward(View<const double, 3>, View<const double, 3>, View<const double, 1>,
                                      View<double, 3>, int);
template int64_t additive_scores_backward_workspace<float>(int64_t, int64_t, int64_t, int);
template int64_t additive_scores_backward_workspace<double>(int64_t, int64_t, int64_t, int);
template void additive_scores_backward(View<const float, 3>, View<const float, 3>, View<const float, 1>,
                                       View<const float, 3>, View<float, 3>, View<float, 3>, View<float, 1>,
                                       View<float, 1>, int);
template void additive_scores_backward(View<const double, 3>, View<const double, 3>, View<const double, 1>,
                                       View<const double, 3>, View<double, 3>, View<double, 3>,
                                       View<double, 1>, View<double, 1>, int);

}  // namespace weft
