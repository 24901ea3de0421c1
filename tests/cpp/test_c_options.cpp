// Every option of recurrent layers and of attention through the C interface: the C++ interface's bits.
#include "memory.hpp"
#include "recurrent_call.hpp"
#include "weft/attention.hpp"
#include "weft/config.hpp"
#include "weft/weft.h"

namespace weft::test {
namespace {

template <class T>
constexpr weft_dtype dtype_of = sizeof(T) == 4 ? WEFT_FLOAT32 : WEFT_FLOAT64;

/// Left out where there are no elements.
template <class T>
weft_view c_view(const std::vector<T>& v, const Axes<4>& shape) {
  if (v.empty()) return {};
  return weft_view4(v.data(), shape[0], shape[1], shape[2], shape[3]);
}

void check_ok(weft_status status, const std::string& what) {
  check(status == WEFT_OK, what + ": " + (status == WEFT_OK ? "" : weft_last_error()));
}

template <class T>
std::vector<T> cast(const std::vector<double>& v) {
  return {v.begin(), v.end()};
}

/// Bytes of a mask as another language may have them: 0, or whatever else for true.
template <class Bools>
std::vector<unsigned char> bytes_of(const Bools& bools) {
  std::vector<unsigned char> bytes;
  for (const bool is_true : bools)
    bytes.push_back(is_true ? (unsigned char)(1 + bytes.size() * 50 % 255) : 0);
  return bytes;
}

template <class T>
void check_recurrent(const CellInfo& info, const Options& options) {
  const Problem p = make_problem(info, options, {7, 5, 3, 6});
  const std::string what = p.cell + " " + options.name;
  const Outcome<double> douts = make_douts(p);
  RecurrentCall<T> expected(p, douts, {.threads = 1, .checkpoint_every = options.checkpoint_every});
  expected.forward();
  expected.backward();

  const int64_t rows = p.gates * p.H;
  const Axes<4> shapes[tensor_count] = {{p.B, p.T, p.I, 1}, {rows, p.I, 1, 1}, {rows, p.P, 1, 1},
                                        {rows, 1, 1, 1},    {rows, 1, 1, 1},   {p.extras, p.H, 1, 1},
                                        {p.P, p.H, 1, 1},   {p.B, p.P, 1, 1},  {p.B, p.H, 1, 1}};
  weft_recurrent call = WEFT_INIT(weft_recurrent);
  weft_view* const given[] = {&call.x,          &call.w_ih,   &call.w_hh, &call.b_ih, &call.b_hh,
                              &call.w_peephole, &call.w_proj, &call.h0,   &call.c0};
  weft_view* const wanted[] = {&call.dx,          &call.dw_ih,   &call.dw_hh, &call.db_ih, &call.db_hh,
                               &call.dw_peephole, &call.dw_proj, &call.dh0,   &call.dc0};
  Tensors<T> tensors, gradients;
  for (int i = 0; i < tensor_count; ++i) {
    tensors[i] = cast<T>(p.tensors[i]);
    gradients[i].assign(tensors[i].size(), T(0));
    if (i == H0) gradients[i].assign(size_t(p.B * p.P), T(0));  // wanted even where h0 was left out
    if (i == C0 && p.has_c) gradients[i].assign(size_t(p.B * p.H), T(0));
    *given[i] = c_view(tensors[i], shapes[i]);
    *wanted[i] = c_view(gradients[i], shapes[i]);
  }
  const std::vector<T> dropout = cast<T>(p.dropout), zoneout = cast<T>(p.zoneout), dy = cast<T>(douts.y),
                       dh_n = cast<T>(douts.h_n), dc_n = cast<T>(douts.c_n);
  Outcome<T> out{std::vector<T>(dy.size()), std::vector<T>(dh_n.size()), std::vector<T>(dc_n.size())};
  call.cell = p.cell.c_str();
  call.dtype = dtype_of<T>;
  call.training = 1;
  call.reverse = p.reverse;
  call.checkpoint_every = options.checkpoint_every;
  call.lengths = c_view(p.lengths, {p.B, 1, 1, 1});
  const std::vector<unsigned char> resets = bytes_of(p.resets);
  call.resets = c_view(resets, {p.B, p.T, 1, 1});
  call.recurrent_dropout_mask = c_view(dropout, {p.B, p.T, p.P, 1});
  call.zoneout_mask = c_view(zoneout, {p.B, p.T, p.P, 1});
  call.y = c_view(out.y, {p.B, p.T, p.P, 1}), call.dy = c_view(dy, {p.B, p.T, p.P, 1});
  call.h_n = c_view(out.h_n, {p.B, p.P, 1, 1}), call.dh_n = c_view(dh_n, {p.B, p.P, 1, 1});
  call.c_n = c_view(out.c_n, {p.B, p.H, 1, 1}), call.dc_n = c_view(dc_n, {p.B, p.H, 1, 1});
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  call.threads = 1;
  check_ok(weft_recurrent_sizes(&call, &sizes), what);
  const Memory saved(sizes.saved), workspace(sizes.forward + sizes.backward);
  call.saved = saved.get(), call.saved_bytes = sizes.saved;
  call.workspace = workspace.get(), call.workspace_bytes = sizes.forward + sizes.backward;
  check_ok(weft_recurrent_forward(&call), what);
  check_ok(weft_recurrent_backward(&call), what);

  check_same_bits(out.y, expected.out().y, what + ": y");
  check_same_bits(out.h_n, expected.out().h_n, what + ": h_n");
  check_same_bits(out.c_n, expected.out().c_n, what + ": c_n");
  for (int i = 0; i < tensor_count; ++i)
    check_same_bits(gradients[i], expected.gradients()[i], what + ": d" + tensor_names[i]);
  call.training = 0;
  check_ok(weft_recurrent_forward(&call), what);
  check_same_bits(out.y, expected.out().y, what + ": y in inference");
}

template <class T>
void check_sdpa() {
  const int64_t B = 2, N = 4, Nk = 2, Tq = 5, S = 7, D = 6, E = 3;
  const auto random = [](int64_t size, uint64_t seed) { return random_numbers<T>(size, seed); };
  const std::vector<T> q = random(B * N * Tq * D, 1), k = random(B * Nk * S * D, 2),
                       v = random(B * Nk * S * E, 3), dout = random(B * N * Tq * E, 4),
                       float_mask = random(Tq * S, 5), bias = random(N * Tq * S, 6);
  const std::vector<int64_t> kv_lengths = {4, 7};
  bool mask[Tq * S];
  for (int64_t i = 0; i < Tq * S; ++i) mask[i] = i % 5 != 3;
  const Axes<4> scores = {B, N, Tq, S}, shared = {0, 0, S, 1}, of_heads = {0, Tq * S, S, 1};

  AttentionArguments<T> a{.q = {q.data(), {B, N, Tq, D}},
                          .k = {k.data(), {B, Nk, S, D}},
                          .v = {v.data(), {B, Nk, S, E}},
                          .mask = {mask, scores, shared},
                          .float_mask = {float_mask.data(), scores, shared},
                          .bias = {bias.data(), scores, of_heads},
                          .kv_lengths = {kv_lengths.data(), {B}},
                          .scale = 0.7,
                          .softcap = 2.5,
                          .from_end = true,
                          .left = 3,
                          .right = 1,
                          .dropout = 0.2,
                          .seed = 5,
                          .offset = 9,
                          .threads = 2};
  struct Results {
    std::vector<T> out, normalizer, dq, dk, dv, dbias, weights;
  };
  const auto results = [&] {
    return Results{std::vector<T>(dout.size()), std::vector<T>(B * N * Tq * 2), std::vector<T>(q.size()),
                   std::vector<T>(k.size()),    std::vector<T>(v.size()),       std::vector<T>(bias.size()),
                   std::vector<T>(B * Tq * S)};
  };
  Results expected = results(), actual = results();
  const auto view4 = [](std::vector<T>& x, Axes<4> shape) { return View<T, 4>(x.data(), shape); };
  const Memory workspace(attention_forward_workspace(a) + attention_backward_workspace(a) +
                         attention_weights_workspace(a));
  const View<T, 4> out = view4(expected.out, {B, N, Tq, E});
  const View<T, 4> normalizer{expected.normalizer.data(), {B, N, Tq, 2}};
  const View<const T, 4> dout_view{dout.data(), {B, N, Tq, E}};
  attention_forward<T>({a, out, normalizer, workspace.get()});
  attention_backward<T>({.arguments = a,
                         .out = out,
                         .normalizer = normalizer,
                         .dout = dout_view,
                         .dq = view4(expected.dq, a.q.shape),
                         .dk = view4(expected.dk, a.k.shape),
                         .dv = view4(expected.dv, a.v.shape),
                         .workspace = workspace.get()});
  attention_bias_gradient<T>({.arguments = a,
                              .out = out,
                              .normalizer = normalizer,
                              .dout = dout_view,
                              .dbias = view4(expected.dbias, {1, N, Tq, S}),
                              .workspace = workspace.get()});
  attention_weights<T>({.arguments = a,
                        .normalizer = normalizer,
                        .weights = view4(expected.weights, {B, 1, Tq, S}),
                        .workspace = workspace.get()});

  weft_sdpa call = WEFT_INIT(weft_sdpa);
  const auto broadcast = [&](const void* data, const Axes<4>& stride) {
    weft_view view = weft_view4(data, B, N, Tq, S);
    std::copy(stride.begin(), stride.end(), view.stride);
    return view;
  };
  call.dtype = dtype_of<T>;
  call.threads = 2;
  call.windowed = 1, call.left = 3, call.right = 1, call.from_end = 1;
  call.scale = 0.7, call.softcap = 2.5, call.dropout = 0.2, call.seed = 5, call.offset = 9;
  call.q = c_view(q, a.q.shape), call.k = c_view(k, a.k.shape), call.v = c_view(v, a.v.shape);
  const std::vector<unsigned char> mask_bytes = bytes_of(mask);
  call.mask = broadcast(mask_bytes.data(), shared), call.float_mask = broadcast(float_mask.data(), shared);
  call.bias = broadcast(bias.data(), of_heads), call.kv_lengths = weft_view1(kv_lengths.data(), B);
  call.out = c_view(actual.out, {B, N, Tq, E}), call.dout = c_view(dout, {B, N, Tq, E});
  call.normalizer = c_view(actual.normalizer, {B, N, Tq, 2});
  call.dq = c_view(actual.dq, a.q.shape), call.dk = c_view(actual.dk, a.k.shape);
  call.dv = c_view(actual.dv, a.v.shape), call.dbias = c_view(actual.dbias, {1, N, Tq, S});
  call.weights = c_view(actual.weights, {B, 1, Tq, S});
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  check_ok(weft_sdpa_sizes(&call, &sizes), "sdpa");
  check(sizes.forward == attention_forward_workspace(a) &&
            sizes.backward == attention_backward_workspace(a) &&
            sizes.weights == attention_weights_workspace(a) && sizes.saved == 0,
        "sdpa: sizes");
  call.workspace = workspace.get();
  call.workspace_bytes = sizes.forward;
  check_ok(weft_sdpa_forward(&call), "sdpa_forward");
  call.workspace_bytes = sizes.backward;
  check_ok(weft_sdpa_backward(&call), "sdpa_backward");
  check_ok(weft_sdpa_bias_gradient(&call), "sdpa_bias_gradient");
  call.workspace_bytes = sizes.weights;
  check_ok(weft_sdpa_weights(&call), "sdpa_weights");
  check_same_bits(actual.out, expected.out, "sdpa: out");
  check_same_bits(actual.normalizer, expected.normalizer, "sdpa: normalizer");
  check_same_bits(actual.dq, expected.dq, "sdpa: dq");
  check_same_bits(actual.dk, expected.dk, "sdpa: dk");
  check_same_bits(actual.dv, expected.dv, "sdpa: dv");
  check_same_bits(actual.dbias, expected.dbias, "sdpa: dbias");
  check_same_bits(actual.weights, expected.weights, "sdpa: weights");
}

void run_all() {
  const Options all[] = {
      {.name = "bare", .bare = true},
      {.name = "with everything",
       .reverse = true,
       .lengths = true,
       .resets = true,
       .dropout = true,
       .zoneout = true,
       .checkpoint_every = 3,
       .projection = true},
  };
  for (const CellInfo& cell : recurrent_cells())
    for (const Options& options : all) {
      check_recurrent<float>(cell, options);
      check_recurrent<double>(cell, options);
    }
  check_sdpa<float>();
  check_sdpa<double>();
}

}  // namespace
}  // namespace weft::test

int main() {
  weft::test::run_all();
  return weft::test::failures();
}
