/* Recurrent layers and attention through the C interface, against plain loops, on every instruction set. That
 * every option arrives is what test_c_options looks at. */
#include "check.h"
#include "weft/weft.h"

static const double tolerance = 1e-5; /* sums of a few dozen numbers in [-1, 1] */

/* h_t = tanh(W x_t + U h_{t-1}), and back. */
static void test_recurrent(void) {
  enum { B = 2, T = 4, I = 3, H = 5 };
  float *x = numbers(B * T * I, 1), *w = numbers(H * I, 2), *u = numbers(H * H, 3),
        *dy = numbers(B * T * H, 4);
  float *y = unwritten(B * T * H), *h_n = unwritten(B * H), *dx = unwritten(B * T * I), *dw = zeros(H * I);
  float *du = zeros(H * H), *dh0 = unwritten(B * H);
  float *y_ = zeros(B * T * H), *dx_ = zeros(B * T * I), *dw_ = zeros(H * I), *du_ = zeros(H * H),
        *dh0_ = zeros(B * H), *first = unwritten(B * T * H);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_recurrent call = WEFT_INIT(weft_recurrent);
  int b, t, i, j, h;
  for (b = 0; b < B; ++b) {
    double dh[H] = {0};
    for (t = 0; t < T; ++t)
      for (h = 0; h < H; ++h) {
        double sum = 0;
        for (i = 0; i < I; ++i) sum += (double)w[h * I + i] * x[(b * T + t) * I + i];
        for (j = 0; j < H && t > 0; ++j) sum += (double)u[h * H + j] * y_[(b * T + t - 1) * H + j];
        y_[(b * T + t) * H + h] = (float)tanh(sum);
      }
    for (t = T - 1; t >= 0; --t) {
      double da[H];
      for (h = 0; h < H; ++h) {
        const double value = y_[(b * T + t) * H + h];
        da[h] = (dy[(b * T + t) * H + h] + dh[h]) * (1 - value * value);
      }
      for (j = 0; j < H; ++j)
        for (dh[j] = 0, h = 0; h < H; ++h) dh[j] += da[h] * u[h * H + j];
      for (h = 0; h < H; ++h) {
        for (i = 0; i < I; ++i) {
          dw_[h * I + i] += (float)(da[h] * x[(b * T + t) * I + i]);
          dx_[(b * T + t) * I + i] += (float)(da[h] * w[h * I + i]);
        }
        for (j = 0; j < H && t > 0; ++j) du_[h * H + j] += (float)(da[h] * y_[(b * T + t - 1) * H + j]);
      }
    }
    for (h = 0; h < H; ++h) dh0_[b * H + h] = (float)dh[h];
  }
  call.cell = "rnn_tanh";
  call.training = 1;
  call.x = weft_view3(x, B, T, I);
  call.w_ih = weft_view2(w, H, I);
  call.w_hh = weft_view2(u, H, H);
  call.y = weft_view3(y, B, T, H);
  call.h_n = weft_view2(h_n, B, H);
  call.dy = weft_view3(dy, B, T, H);
  call.dx = weft_view3(dx, B, T, I);
  call.dw_ih = weft_view2(dw, H, I);
  call.dw_hh = weft_view2(du, H, H);
  call.dh0 = weft_view2(dh0, B, H);
  for (call.threads = 1; call.threads <= 3; ++call.threads) {
    CHECK(weft_recurrent_sizes(&call, &sizes) == WEFT_OK);
    call.saved = memory(sizes.saved);
    call.saved_bytes = sizes.saved;
    call.workspace = memory(sizes.forward);
    call.workspace_bytes = sizes.forward;
    CHECK(weft_recurrent_forward(&call) == WEFT_OK);
    if (call.threads == 1) memcpy(first, y, B * T * H * sizeof(float));
    CHECK(memcmp(first, y, B * T * H * sizeof(float)) == 0);
    call.workspace = memory(sizes.backward);
    call.workspace_bytes = sizes.backward;
    memset(dw, 0, H * I * sizeof(float));
    memset(du, 0, H * H * sizeof(float));
    CHECK(weft_recurrent_backward(&call) == WEFT_OK);
  }
  CHECK(close_to(y, y_, B * T * H, tolerance));
  CHECK(memcmp(h_n + H, y + (2 * T - 1) * H, H * sizeof(float)) == 0);
  CHECK(close_to(dx, dx_, B * T * I, tolerance));
  CHECK(close_to(dw, dw_, H * I, tolerance));
  CHECK(close_to(du, du_, H * H, tolerance));
  CHECK(close_to(dh0, dh0_, B * H, tolerance));
}

/* Causal attention of one head, and back. */
static void test_sdpa(void) {
  enum { T = 5, D = 4, E = 3 };
  float *q = numbers(T * D, 1), *k = numbers(T * D, 2), *v = numbers(T * E, 3), *dout = numbers(T * E, 4);
  float *out = unwritten(T * E), *normalizer = unwritten(2 * T), *weights = unwritten(T * T),
        *dbias = zeros(T * T);
  float *dq = unwritten(T * D), *dk = unwritten(T * D), *dv = unwritten(T * E), *bias = numbers(T * T, 5);
  float *out_ = zeros(T * E), *weights_ = zeros(T * T), *dq_ = zeros(T * D), *dk_ = zeros(T * D),
        *dv_ = zeros(T * E), *dbias_ = zeros(T * T);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_sdpa call = WEFT_INIT(weft_sdpa);
  int t, s, d;
  for (t = 0; t < T; ++t) {
    double p[T] = {0}, sum = 0, mean = 0;
    for (s = 0; s <= t; ++s) {
      for (d = 0; d < D; ++d) p[s] += (double)q[t * D + d] * k[s * D + d] / 2; /* sqrt(D) */
      sum += p[s] = exp(p[s] + bias[t * T + s]);
    }
    for (s = 0; s <= t; ++s) {
      double dp = 0;
      weights_[t * T + s] = (float)(p[s] /= sum);
      for (d = 0; d < E; ++d) {
        out_[t * E + d] += (float)(p[s] * v[s * E + d]);
        dv_[s * E + d] += (float)(p[s] * dout[t * E + d]);
        dp += (double)dout[t * E + d] * v[s * E + d];
      }
      mean += p[s] * dp;
      dbias_[t * T + s] = (float)dp;
    }
    for (s = 0; s <= t; ++s) {
      const double ds = p[s] * (dbias_[t * T + s] - mean);
      dbias_[t * T + s] = (float)ds;
      for (d = 0; d < D; ++d) {
        dq_[t * D + d] += (float)(ds * k[s * D + d] / 2);
        dk_[s * D + d] += (float)(ds * q[t * D + d] / 2);
      }
    }
  }
  call.windowed = 1;
  call.left = -1;
  call.q = weft_view4(q, 1, 1, T, D);
  call.k = weft_view4(k, 1, 1, T, D);
  call.v = weft_view4(v, 1, 1, T, E);
  call.bias = weft_view4(bias, 1, 1, T, T);
  call.out = weft_view4(out, 1, 1, T, E);
  call.normalizer = weft_view4(normalizer, 1, 1, T, 2);
  call.dout = weft_view4(dout, 1, 1, T, E);
  call.dq = weft_view4(dq, 1, 1, T, D);
  call.dk = weft_view4(dk, 1, 1, T, D);
  call.dv = weft_view4(dv, 1, 1, T, E);
  call.dbias = weft_view4(dbias, 1, 1, T, T);
  call.weights = weft_view4(weights, 1, 1, T, T);
  CHECK(weft_sdpa_sizes(&call, &sizes) == WEFT_OK);
  call.workspace_bytes = sizes.forward + sizes.backward + sizes.weights; /* enough for each */
  call.workspace = memory(call.workspace_bytes);
  CHECK(weft_sdpa_forward(&call) == WEFT_OK);
  CHECK(weft_sdpa_backward(&call) == WEFT_OK);
  CHECK(weft_sdpa_bias_gradient(&call) == WEFT_OK);
  CHECK(weft_sdpa_weights(&call) == WEFT_OK);
  CHECK(close_to(out, out_, T * E, tolerance));
  CHECK(close_to(weights, weights_, T * T, tolerance));
  CHECK(close_to(dq, dq_, T * D, tolerance));
  CHECK(close_to(dk, dk_, T * D, tolerance));
  CHECK(close_to(dv, dv_, T * E, tolerance));
  CHECK(close_to(dbias, dbias_, T * T, tolerance));
}

int main(void) {
  int32_t i;
  for (i = 0; weft_available_isa(i) != NULL; ++i) {
    CHECK(weft_set_isa(weft_available_isa(i)) == WEFT_OK);
    CHECK(strcmp(weft_isa(), weft_available_isa(i)) == 0);
    test_recurrent();
    test_sdpa();
  }
  CHECK(i > 0);
  return failures();
}
