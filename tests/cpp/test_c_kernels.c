/* Dense and pointwise kernels through the C interface, against plain loops, on every instruction set. */
#include "check.h"
#include "weft/weft.h"

static const double tolerance = 1e-5; /* sums of a few dozen numbers in [-1, 1] */

static void test_linear(void) {
  enum { R = 7, I = 5, O = 9 };
  float *x = numbers(R * I, 1), *w = numbers(O * I, 2), *b = numbers(O, 3), *dy = numbers(R * O, 4);
  float *y = unwritten(R * O), *dx = unwritten(R * I), *dw = zeros(O * I), *db = zeros(O);
  float *y_ = zeros(R * O), *dx_ = zeros(R * I), *dw_ = zeros(O * I), *db_ = zeros(O);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_linear call = WEFT_INIT(weft_linear);
  int r, i, o;
  for (r = 0; r < R; ++r)
    for (o = 0; o < O; ++o) {
      y_[r * O + o] = b[o];
      db_[o] += dy[r * O + o];
      for (i = 0; i < I; ++i) {
        y_[r * O + o] += x[r * I + i] * w[o * I + i];
        dx_[r * I + i] += dy[r * O + o] * w[o * I + i];
        dw_[o * I + i] += dy[r * O + o] * x[r * I + i];
      }
    }
  call.threads = 2;
  call.x = weft_view2(x, R, I);
  call.weight = weft_view2(w, O, I);
  call.bias = weft_view1(b, O);
  call.y = weft_view2(y, R, O);
  call.dy = weft_view2(dy, R, O);
  call.dx = weft_view2(dx, R, I);
  call.dweight = weft_view2(dw, O, I);
  call.dbias = weft_view1(db, O);
  CHECK(weft_linear_sizes(&call, &sizes) == WEFT_OK);
  call.workspace = memory(sizes.forward);
  call.workspace_bytes = sizes.forward;
  CHECK(weft_linear_forward(&call) == WEFT_OK);
  CHECK(close_to(y, y_, R * O, tolerance));
  call.workspace = memory(sizes.backward);
  call.workspace_bytes = sizes.backward;
  CHECK(weft_linear_backward(&call) == WEFT_OK);
  CHECK(close_to(dx, dx_, R * I, tolerance));
  CHECK(close_to(dw, dw_, O * I, tolerance));
  CHECK(close_to(db, db_, O, tolerance));
}

static void test_embedding(void) {
  enum { R = 5, V = 4, D = 3 };
  const int64_t indices[R] = {2, 0, 2, 3, 1};
  float *w = numbers(V * D, 1), *dy = numbers(R * D, 2), *y = unwritten(R * D), *dw = zeros(V * D);
  float* dw_ = zeros(V * D);
  weft_embedding call = WEFT_INIT(weft_embedding);
  int r, d;
  call.indices = weft_view1(indices, R);
  call.weight = weft_view2(w, V, D);
  call.y = weft_view2(y, R, D);
  call.dy = weft_view2(dy, R, D);
  call.dweight = weft_view2(dw, V, D);
  call.padded = 1;
  call.padding_index = 0;
  CHECK(weft_embedding_forward(&call) == WEFT_OK);
  CHECK(weft_embedding_backward(&call) == WEFT_OK);
  for (r = 0; r < R; ++r)
    for (d = 0; d < D; ++d) {
      CHECK(y[r * D + d] == w[indices[r] * D + d]);
      if (indices[r] != 0) dw_[indices[r] * D + d] += dy[r * D + d];
    }
  CHECK(close_to(dw, dw_, V * D, tolerance));
  memset(dw, 0, V * D * sizeof(float));
  call.padded = 0;
  CHECK(weft_embedding_backward(&call) == WEFT_OK);
  CHECK(dw[0] == dy[D]);
}

static void test_layer_norm(void) {
  enum { R = 3, D = 6 };
  float *x = numbers(R * D, 1), *w = numbers(D, 2), *b = numbers(D, 3), *dy = numbers(R * D, 4);
  float *y = unwritten(R * D), *mean = unwritten(2 * R), *deviation = unwritten(R), *dx = unwritten(R * D);
  float *dw = zeros(D), *db = zeros(D), *y_ = zeros(R * D), *dx_ = zeros(R * D), *dw_ = zeros(D),
        *db_ = zeros(D);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_layer_norm call = WEFT_INIT(weft_layer_norm);
  int r, d;
  for (r = 0; r < R; ++r) {
    double m = 0, v = 0, s, sum = 0, along = 0;
    for (d = 0; d < D; ++d) m += x[r * D + d] / (double)D;
    for (d = 0; d < D; ++d) v += (x[r * D + d] - m) * (x[r * D + d] - m) / (double)D;
    s = 1 / sqrt(v + 1e-5);
    for (d = 0; d < D; ++d) {
      const double n = (x[r * D + d] - m) * s, g = (double)dy[r * D + d] * w[d];
      y_[r * D + d] = (float)(n * w[d] + b[d]);
      dw_[d] += (float)(dy[r * D + d] * n);
      db_[d] += dy[r * D + d];
      sum += g / D;
      along += g * n / D;
    }
    for (d = 0; d < D; ++d)
      dx_[r * D + d] = (float)(s * ((double)dy[r * D + d] * w[d] - sum - (x[r * D + d] - m) * s * along));
  }
  call.eps = 1e-5;
  call.x = weft_view2(x, R, D);
  call.weight = weft_view1(w, D);
  call.bias = weft_view1(b, D);
  call.y = weft_view2(y, R, D);
  call.mean = weft_view2(mean, R, 2);
  call.inverse_deviation = weft_view1(deviation, R);
  call.dy = weft_view2(dy, R, D);
  call.dx = weft_view2(dx, R, D);
  call.dweight = weft_view1(dw, D);
  call.dbias = weft_view1(db, D);
  CHECK(weft_layer_norm_sizes(&call, &sizes) == WEFT_OK);
  call.workspace = memory(sizes.backward);
  call.workspace_bytes = sizes.backward;
  CHECK(weft_layer_norm_forward(&call) == WEFT_OK);
  CHECK(weft_layer_norm_backward(&call) == WEFT_OK);
  CHECK(close_to(y, y_, R * D, tolerance));
  CHECK(close_to(dx, dx_, R * D, tolerance));
  CHECK(close_to(dw, dw_, D, tolerance));
  CHECK(close_to(db, db_, D, tolerance));
}

static double activate(int function, double x) {
  switch (function) {
    case WEFT_RELU:
      return x > 0 ? x : 0;
    case WEFT_GELU:
      return x * (1 + erf(x / sqrt(2.0))) / 2;
    case WEFT_GELU_TANH:
      return x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2;
    case WEFT_SILU:
      return x / (1 + exp(-x));
    case WEFT_SIGMOID:
      return 1 / (1 + exp(-x));
    default:
      return tanh(x);
  }
}

static void test_activations(void) {
  enum { N = 50 };
  float *x = numbers(N, 1), *dy = numbers(N, 2), *y = unwritten(N), *dx = unwritten(N), *y_ = zeros(N),
        *dx_ = zeros(N);
  int function, i;
  for (function = WEFT_RELU; function <= WEFT_TANH; ++function) {
    weft_activation call = WEFT_INIT(weft_activation);
    for (i = 0; i < N; ++i) {
      const double h = 1e-6;
      y_[i] = (float)activate(function, x[i]);
      dx_[i] = (float)(dy[i] * (activate(function, x[i] + h) - activate(function, x[i] - h)) / (2 * h));
    }
    call.function = function;
    call.x = weft_view1(x, N);
    call.y = weft_view1(y, N);
    call.dy = weft_view1(dy, N);
    call.dx = weft_view1(dx, N);
    CHECK(weft_activation_forward(&call) == WEFT_OK);
    CHECK(weft_activation_backward(&call) == WEFT_OK);
    CHECK(close_to(y, y_, N, tolerance));
    CHECK(close_to(dx, dx_, N, tolerance));
  }
}

static void test_swiglu(void) {
  enum { R = 4, F = 3 };
  float *x = numbers(R * 2 * F, 1), *dy = numbers(R * F, 2), *y = unwritten(R * F),
        *dx = unwritten(R * 2 * F);
  weft_swiglu call = WEFT_INIT(weft_swiglu);
  int r, f;
  call.x = weft_view2(x, R, 2 * F);
  call.y = weft_view2(y, R, F);
  call.dy = weft_view2(dy, R, F);
  call.dx = weft_view2(dx, R, 2 * F);
  CHECK(weft_swiglu_forward(&call) == WEFT_OK);
  CHECK(weft_swiglu_backward(&call) == WEFT_OK);
  for (r = 0; r < R; ++r)
    for (f = 0; f < F; ++f) {
      const double a = x[r * 2 * F + f], b = x[r * 2 * F + F + f], s = 1 / (1 + exp(-a)), g = dy[r * F + f];
      CHECK(fabs(y[r * F + f] - a * s * b) < tolerance);
      CHECK(fabs(dx[r * 2 * F + f] - g * b * s * (1 + a * (1 - s))) < tolerance);
      CHECK(fabs(dx[r * 2 * F + F + f] - g * a * s) < tolerance);
    }
}

static void test_rotary(void) {
  enum { B = 2, N = 2, T = 3, D = 5, P = 2 };
  float *x = numbers(B * N * T * D, 1), *y = unwritten(B * N * T * D), *back = unwritten(B * N * T * D);
  float *cosines = zeros(T * P), *sines = zeros(T * P);
  weft_rotary call = WEFT_INIT(weft_rotary);
  int i;
  for (i = 0; i < T * P; ++i) cosines[i] = (float)cos(i + 0.5), sines[i] = (float)sin(i + 0.5);
  call.interleaved = 1;
  call.cos = weft_view3(cosines, 1, T, P);
  call.sin = weft_view3(sines, 1, T, P);
  call.x = weft_view4(x, B, N, T, D);
  call.y = weft_view4(y, B, N, T, D);
  call.dy = call.y;
  call.dx = weft_view4(back, B, N, T, D);
  CHECK(weft_rotary_forward(&call) == WEFT_OK);
  CHECK(weft_rotary_backward(&call) == WEFT_OK); /* turns back */
  CHECK(close_to(back, x, B * N * T * D, tolerance));
  for (i = 0; i < B * N * T; ++i) {
    const float *from = x + i * D, *to = y + i * D, *c = cosines + i % T * P, *s = sines + i % T * P;
    CHECK(fabs(to[0] - (from[0] * c[0] - from[1] * s[0])) < tolerance);
    CHECK(fabs(to[3] - (from[3] * c[1] + from[2] * s[1])) < tolerance);
    CHECK(to[4] == from[4]);
  }
}

static void test_dropout(void) {
  enum { N = 4000 };
  float *x = numbers(N, 1), *y = unwritten(N), *dx = unwritten(N);
  weft_dropout call = WEFT_INIT(weft_dropout);
  int i, kept = 0;
  call.p = 0.25;
  call.seed = 7;
  call.offset = 3;
  call.x = call.dy = weft_view1(x, N);
  call.y = weft_view1(y, N);
  call.dx = weft_view1(dx, N);
  CHECK(weft_dropout_forward(&call) == WEFT_OK);
  CHECK(weft_dropout_backward(&call) == WEFT_OK);
  for (i = 0; i < N; ++i) {
    CHECK(y[i] == 0 || fabs(y[i] - x[i] / 0.75) < tolerance);
    CHECK(y[i] == dx[i]);
    kept += y[i] != 0;
  }
  CHECK(abs(kept - N * 3 / 4) < 5 * 28); /* standard deviations */
}

static void test_cross_entropy(void) {
  enum { R = 4, V = 6 };
  const int64_t targets[R] = {3, 0, -1, 5};
  float *logits = numbers(R * V, 1), *weight = numbers(R, 2), *losses = unwritten(R),
        *normalizer = unwritten(R * 2);
  float *dlosses = numbers(R, 3), *dlogits = unwritten(R * V);
  double loss = 0, total = 0, loss_ = 0, weight_ = 0;
  weft_cross_entropy call = WEFT_INIT(weft_cross_entropy);
  int r, v;
  call.ignore = 1;
  call.ignore_index = -1;
  call.scale = 0.5;
  call.logits = weft_view2(logits, R, V);
  call.targets = weft_view1(targets, R);
  call.weight = weft_view1(weight, R);
  call.losses = weft_view1(losses, R);
  call.normalizer = weft_view2(normalizer, R, 2);
  call.dlosses = weft_view1(dlosses, R);
  call.dlogits = weft_view2(dlogits, R, V);
  CHECK(weft_cross_entropy_forward(&call, &loss, &total) == WEFT_OK);
  CHECK(weft_cross_entropy_backward(&call) == WEFT_OK);
  for (r = 0; r < R; ++r) {
    double sum = 0;
    for (v = 0; v < V; ++v) sum += exp(logits[r * V + v]);
    for (v = 0; v < V; ++v) {
      const double q = v == targets[r], p = exp(logits[r * V + v]) / sum;
      const double expected = targets[r] < 0 ? 0 : 0.5 * dlosses[r] * weight[r] * (p - q);
      CHECK(fabs(dlogits[r * V + v] - expected) < tolerance);
      if (q > 0) loss_ -= weight[r] * log(p), weight_ += weight[r];
    }
  }
  CHECK(losses[2] == 0);
  CHECK(fabs(loss - loss_) < tolerance);
  CHECK(fabs(total - weight_) < tolerance);
  CHECK(weft_cross_entropy_forward(&call, NULL, NULL) == WEFT_OK);
  call.ignore = 0;
  CHECK(weft_cross_entropy_forward(&call, NULL, NULL) == WEFT_INVALID_ARGUMENT);
}

int main(void) {
  int32_t i;
  for (i = 0; weft_available_isa(i) != NULL; ++i) {
    CHECK(weft_set_isa(weft_available_isa(i)) == WEFT_OK);
    CHECK(strcmp(weft_isa(), weft_available_isa(i)) == 0);
    test_linear();
    test_embedding();
    test_layer_norm();
    test_activations();
    test_swiglu();
    test_rotary();
    test_dropout();
    test_cross_entropy();
  }
  CHECK(i > 0);
  return failures();
}
