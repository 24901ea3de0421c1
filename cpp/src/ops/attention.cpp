// attention: validation and dispatch.
#include "weft/attention.hpp"

#include <algorithm>

#include "src/checks/checks.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"

namespace weft {
namespace {

template <class T>
const AttentionKernels<T>& attention(const KernelTable& table = current_table()) {
  return *kernels<T>(table).attention;
}

/// Masks and biases are broadcast by their strides, so theirs may be anything.
template <class T>
void check_broadcast(const char* operation, const char* argument, const View<T, 4>& view,
                     const Axes<4>& shape) {
  if (view) check_shape(operation, argument, view, "(B, N, T, S)", shape);
}

struct Shapes {
  Axes<4> q, k, v, out, scores, normalizer;
  int threads;
};

template <class T>
Shapes check(const AttentionArguments<T>& a) {
  const char* op = a.operation;
  const int64_t B = a.q.shape[0], N = a.q.shape[1], queries = a.q.shape[2], D = a.q.shape[3];
  const int64_t Nk = a.k.shape[1], S = a.k.shape[2], E = a.v.shape[3];
  Shapes c{
      a.q.shape, {B, Nk, S, D}, {B, Nk, S, E}, {B, N, queries, E}, {B, N, queries, S}, {B, N, queries, 2}, 1};
  check_view(op, "q", a.q, "(B, N, T, D)", c.q);
  check_view(op, "k", a.k, "(B, Nk, S, D)", c.k);
  check_view(op, "v", a.v, "(B, Nk, S, E)", c.v);
  if (Nk == 0 ? N != 0 : N % Nk != 0)
    fail(op, "k must have a number of heads that divides N = " + std::to_string(N) +
                 ", got Nk = " + std::to_string(Nk));
  check_broadcast(op, "mask", a.mask, c.scores);
  check_broadcast(op, "mask", a.float_mask, c.scores);
  check_broadcast(op, "bias", a.bias, c.scores);
  check_optional(op, "kv_lengths", a.kv_lengths, "(B,)", {B});
  for (int64_t b = 0; a.kv_lengths && b < B; ++b) {
    const int64_t length = a.kv_lengths.data[b * a.kv_lengths.stride[0]];
    if (length < 0 || length > S)
      fail(op, "kv_lengths must be in [0, S] = [0, " + std::to_string(S) + "], got " +
                   std::to_string(length) + " at [" + std::to_string(b) + "]");
  }
  if (!std::isfinite(a.scale)) fail(op, "scale must be finite, got " + number_text(a.scale));
  check_not_negative(op, "softcap", a.softcap);
  check_number(op, "dropout", a.dropout, 0, 1, false);
  if (a.left < -1 || a.right < -1)
    fail(op, "window must be (left, right), each at least -1, got (" + std::to_string(a.left) + ", " +
                 std::to_string(a.right) + ")");
  // Every size that a kernel computes is a product of some of these.
  const char* what = "the size of the scores";
  const int64_t heads = checked_product(op, what, checked_product(op, what, B, N), queries);
  for (const int64_t width : {S, D, E})
    checked_product(op, what, checked_product(op, what, heads, std::max<int64_t>(width, 1)), 64);

  const double work = double(heads) * double(S) * double(D + E + 32) / multiply_adds_per_nanosecond;
  c.threads = threads_for(work, a.threads);
  return c;
}

/// What backward and the gradient of the bias take of forward.
template <class Call>
Shapes check_backward(const Call& call) {
  const Shapes c = check(call.arguments);
  const char* op = call.arguments.operation;
  check_view(op, "out", call.out, "(B, N, T, E)", c.out);
  check_contiguous(op, "normalizer", call.normalizer, "(B, N, T, 2)", c.normalizer);
  check_view(op, "dout", call.dout, "(B, N, T, E)", c.out);
  return c;
}

}  // namespace

template <class T>
size_t attention_forward_workspace(const AttentionArguments<T>& a) {
  const int threads = check(a).threads;
  return largest_size(
      [&](const KernelTable& table) { return attention<T>(table).forward_workspace(a, threads); });
}

template <class T>
size_t attention_backward_workspace(const AttentionArguments<T>& a) {
  const int threads = check(a).threads;
  return largest_size(
      [&](const KernelTable& table) { return attention<T>(table).backward_workspace(a, threads); });
}

template <class T>
size_t attention_weights_workspace(const AttentionArguments<T>& a) {
  const int threads = check(a).threads;
  return largest_size(
      [&](const KernelTable& table) { return attention<T>(table).weights_workspace(a, threads); });
}

template <class T>
void attention_forward(const AttentionForward<T>& call) {
  const Shapes c = check(call.arguments);
  const char* op = call.arguments.operation;
  check_view(op, "out", call.out, "(B, N, T, E)", c.out);
  check_contiguous(op, "normalizer", call.normalizer, "(B, N, T, 2)", c.normalizer);
  if (are_empty(call.out, call.normalizer)) return;
  attention<T>().forward(call, c.threads);
}

template <class T>
void attention_backward(const AttentionBackward<T>& call) {
  const Shapes c = check_backward(call);
  const char* op = call.arguments.operation;
  check_view(op, "dq", call.dq, "(B, N, T, D)", c.q);
  check_view(op, "dk", call.dk, "(B, Nk, S, D)", c.k);
  check_view(op, "dv", call.dv, "(B, Nk, S, E)", c.v);
  if (are_empty(call.dq, call.dk, call.dv)) return;
  attention<T>().backward(call, c.threads);
}

template <class T>
void attention_bias_gradient(const AttentionBiasGradient<T>& call) {
  const Shapes c = check_backward(call);
  Axes<4> sizes = c.scores;
  for (int axis = 0; axis < 4; ++axis)
    if (call.dbias.shape[axis] == 1) sizes[axis] = 1;
  check_contiguous(call.arguments.operation, "dbias", call.dbias, "(B, N, T, S), or 1 along some axes,",
                   sizes);
  if (std::find(c.scores.begin(), c.scores.end(), 0) != c.scores.end()) return;  // nothing to add
  attention<T>().bias_gradient(call, c.threads);
}

template <class T>
void attention_weights(const AttentionWeights<T>& call) {
  const Shapes c = check(call.arguments);
  const char* op = call.arguments.operation;
  check_contiguous(op, "normalizer", call.normalizer, "(B, N, T, 2)", c.normalizer);
  const bool mean = call.weights.shape[1] == 1 && c.scores[1] != 1;
  check_contiguous(op, "weights", call.weights, mean ? "(B, 1, T, S)" : "(B, N, T, S)",
                   {c.scores[0], mean ? 1 : c.scores[1], c.scores[2], c.scores[3]});
  if (are_empty(call.weights)) return;
  attention<T>().weights(call, c.threads);
}

#define WEFT_INSTANTIATE(T)                                                   \
  template size_t attention_forward_workspace(const AttentionArguments<T>&);  \
  template size_t attention_backward_workspace(const AttentionArguments<T>&); \
  template size_t attention_weights_workspace(const AttentionArguments<T>&);  \
  template void attention_forward(const AttentionForward<T>&);                \
  template void attention_backward(const AttentionBackward<T>&);              \
  template void attention_bias_gradient(const AttentionBiasGradient<T>&);     \
  template void attention_weights(const AttentionWeights<T>&);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
