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

template <size_t N>
void copy_strides(const Axes<4>& from, int64_t (&to)[N]) {
  std::copy_n(from.begin(), N, to);
}

/// Masks and biases are broadcast by their strides, so theirs may be anything.
template <class T>
void check_broadcast(const char* operation, const char* argument, const View<T, 4>& view,
                     const Axes<4>& shape) {
  if (view) check_shape(operation, argument, view, "(B, N, T, S)", shape);
}

template <class T>
struct Checked {
  Attention<T> problem;
  Axes<4> q, k, v, out, scores, normalizer;  // shapes
  int threads;
};

template <class T>
Checked<T> check(const AttentionArguments<T>& a) {
  const char* op = a.operation;
  const int64_t B = a.q.shape[0], N = a.q.shape[1], queries = a.q.shape[2], D = a.q.shape[3];
  const int64_t Nk = a.k.shape[1], S = a.k.shape[2], E = a.v.shape[3];
  Checked<T> c{
      {}, a.q.shape, {B, Nk, S, D}, {B, Nk, S, E}, {B, N, queries, E}, {B, N, queries, S}, {B, N, queries, 2},
      1};
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

  Attention<T>& p = c.problem;
  p.batch = B, p.heads = N, p.kv_heads = Nk, p.queries = queries, p.keys = S, p.size = D, p.value_size = E;
  p.q = a.q.data, p.k = a.k.data, p.v = a.v.data;
  copy_strides(a.q.stride, p.q_stride);
  copy_strides(a.k.stride, p.k_stride);
  copy_strides(a.v.stride, p.v_stride);
  p.scale = T(a.scale), p.softcap = T(a.softcap);
  p.left = a.left, p.right = a.right, p.from_end = a.from_end;
  p.kv_lengths = a.kv_lengths.data;
  p.mask = reinterpret_cast<const unsigned char*>(a.mask.data);
  copy_strides(a.mask.stride, p.mask_stride);
  // The mask last: what it hides is gone, the bias there included.
  p.added[0].data = a.bias.data;
  copy_strides(a.bias.stride, p.added[0].stride);
  p.added[1].data = a.float_mask.data;
  copy_strides(a.float_mask.stride, p.added[1].stride);
  p.dropped_below = uint64_t(std::ceil(a.dropout * 4294967296.0));
  p.kept_scale = T(1 / (1 - a.dropout));
  p.seed = a.seed, p.offset = a.offset;
  const double work = double(heads) * double(S) * double(D + E + 32) / multiply_adds_per_nanosecond;
  c.threads = threads_for(work, a.threads);
  return c;
}

template <class T>
AttentionBackward<T> backward_call(const AttentionArguments<T>& a, const Checked<T>& c, View<const T, 4> out,
                                   View<const T, 4> normalizer, View<const T, 4> dout, void* workspace) {
  check_view(a.operation, "out", out, "(B, N, T, E)", c.out);
  check_contiguous(a.operation, "normalizer", normalizer, "(B, N, T, 2)", c.normalizer);
  check_view(a.operation, "dout", dout, "(B, N, T, E)", c.out);
  AttentionBackward<T> call{};
  call.arguments = c.problem;
  call.out = out.data, call.dout = dout.data, call.normalizer = normalizer.data;
  copy_strides(out.stride, call.out_stride);
  copy_strides(dout.stride, call.dout_stride);
  call.workspace = workspace;
  return call;
}

}  // namespace

template <class T>
size_t attention_forward_workspace(const AttentionArguments<T>& a) {
  const Checked<T> c = check(a);
  return largest_size([&](const KernelTable& table) {
    return size_t(attention<T>(table).forward_workspace(c.problem, c.threads));
  });
}

template <class T>
size_t attention_backward_workspace(const AttentionArguments<T>& a) {
  const Checked<T> c = check(a);
  return largest_size([&](const KernelTable& table) {
    return size_t(attention<T>(table).backward_workspace(c.problem, c.threads));
  });
}

template <class T>
size_t attention_weights_workspace(const AttentionArguments<T>& a) {
  const Checked<T> c = check(a);
  return largest_size([&](const KernelTable& table) {
    return size_t(attention<T>(table).weights_workspace(c.problem, c.threads));
  });
}

template <class T>
void attention_forward(const AttentionArguments<T>& a, View<T, 4> out, View<T, 4> normalizer,
                       void* workspace) {
  const Checked<T> c = check(a);
  check_view(a.operation, "out", out, "(B, N, T, E)", c.out);
  check_contiguous(a.operation, "normalizer", normalizer, "(B, N, T, 2)", c.normalizer);
  if (are_empty(out, normalizer)) return;
  AttentionForward<T> call{};
  call.arguments = c.problem;
  call.out = out.data, call.normalizer = normalizer.data, call.workspace = workspace;
  copy_strides(out.stride, call.out_stride);
  attention<T>().forward(call, c.threads);
}

template <class T>
void attention_backward(const AttentionArguments<T>& a, View<const T, 4> out, View<const T, 4> normalizer,
                        View<const T, 4> dout, View<T, 4> dq, View<T, 4> dk, View<T, 4> dv, void* workspace) {
  const Checked<T> c = check(a);
  AttentionBackward<T> call = backward_call(a, c, out, normalizer, dout, workspace);
  check_view(a.operation, "dq", dq, "(B, N, T, D)", c.q);
  check_view(a.operation, "dk", dk, "(B, Nk, S, D)", c.k);
  check_view(a.operation, "dv", dv, "(B, Nk, S, E)", c.v);
  if (are_empty(dq, dk, dv)) return;
  call.dq = dq.data, call.dk = dk.data, call.dv = dv.data;
  copy_strides(dq.stride, call.dq_stride);
  copy_strides(dk.stride, call.dk_stride);
  copy_strides(dv.stride, call.dv_stride);
  attention<T>().backward(call, c.threads);
}

template <class T>
void attention_bias_gradient(const AttentionArguments<T>& a, View<const T, 4> out,
                             View<const T, 4> normalizer, View<const T, 4> dout, View<T, 4> dbias,
                             void* workspace) {
  const Checked<T> c = check(a);
  AttentionBiasGradient<T> call{backward_call(a, c, out, normalizer, dout, workspace), dbias.data, {}};
  for (int axis = 0; axis < 4; ++axis) call.sizes[axis] = dbias.shape[axis] == 1 ? 1 : c.scores[axis];
  check_contiguous(a.operation, "dbias", dbias, "(B, N, T, S), or 1 along some axes,",
                   {call.sizes[0], call.sizes[1], call.sizes[2], call.sizes[3]});
  if (std::find(c.scores.begin(), c.scores.end(), 0) != c.scores.end()) return;  // nothing to add
  attention<T>().bias_gradient(call, c.threads);
}

template <class T>
void attention_weights(const AttentionArguments<T>& a, View<const T, 4> normalizer, View<T, 4> weights,
                       void* workspace) {
  const Checked<T> c = check(a);
  check_contiguous(a.operation, "normalizer", normalizer, "(B, N, T, 2)", c.normalizer);
  const bool mean = weights.shape[1] == 1 && c.scores[1] != 1;
  check_contiguous(a.operation, "weights", weights, mean ? "(B, 1, T, S)" : "(B, N, T, S)",
                   {c.scores[0], mean ? 1 : c.scores[1], c.scores[2], c.scores[3]});
  if (are_empty(weights)) return;
  attention<T>().weights({c.problem, normalizer.data, weights.data, mean, workspace}, c.threads);
}

#define WEFT_INSTANTIATE(T)                                                                               \
  template size_t attention_forward_workspace(const AttentionArguments<T>&);                              \
  template size_t attention_backward_workspace(const AttentionArguments<T>&);                             \
  template size_t attention_weights_workspace(const AttentionArguments<T>&);                              \
  template void attention_forward(const AttentionArguments<T>&, View<T, 4>, View<T, 4>, void*);           \
  template void attention_backward(const AttentionArguments<T>&, View<const T, 4>, View<const T, 4>,      \
                                   View<const T, 4>, View<T, 4>, View<T, 4>, View<T, 4>, void*);          \
  template void attention_bias_gradient(const AttentionArguments<T>&, View<const T, 4>, View<const T, 4>, \
                                        View<const T, 4>, View<T, 4>, void*);                             \
  template void attention_weights(const AttentionArguments<T>&, View<const T, 4>, View<T, 4>, void*);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
