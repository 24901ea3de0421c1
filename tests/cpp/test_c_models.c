/* Models and streams through the C interface: files written here, byte by byte, and plain loops. */
#include "c_model_file.h"
#include "check.h"
#include "weft/weft.h"

static const double tolerance = 1e-5; /* sums of a few numbers in [-1, 1] */

enum { I = 2, H = 3, O = 2, V = 4, STEPS = 6 };
static float *w, *u, *b, *out, *bias, *x;

/* linear(rnn_tanh(x)) */
static model_file recurrent_file(int is_double) {
  const tensor tensors[] = {
      {"w", H, I, w}, {"u", H, H, u}, {"b", H, 0, b}, {"out", O, H, out}, {"c", O, 0, bias}};
  return make_file(
      "{'op':'sequential','layers':[{'op':'recurrent','cell':'rnn_tanh','w_ih':'w','w_hh':'u','b_ih':'b'},"
      "{'op':'linear','weight':'out','bias':'c'}]}",
      is_double, tensors, 5);
}
static void recurrent_plainly(double* y) {
  double h[H] = {0}, before[H];
  int t, i, j;
  for (t = 0; t < STEPS; ++t) {
    memcpy(before, h, sizeof h);
    for (i = 0; i < H; ++i) {
      h[i] = b[i];
      for (j = 0; j < I; ++j) h[i] += (double)w[i * I + j] * x[t * I + j];
      for (j = 0; j < H; ++j) h[i] += u[i * H + j] * before[j];
      h[i] = tanh(h[i]);
    }
    for (i = 0; i < O; ++i)
      for (y[t * O + i] = bias[i], j = 0; j < H; ++j) y[t * O + i] += out[i * H + j] * h[j];
  }
}

static weft_model* parsed(model_file made) {
  weft_model* model = NULL;
  CHECK(weft_model_parse(made.bytes, made.size, &model) == WEFT_OK);
  if (model == NULL) exit((fprintf(stderr, "%s\n", weft_last_error()), 1));
  return model;
}
static weft_stream* stream_of(const weft_model* model, int64_t capacity) {
  weft_stream* stream = NULL;
  CHECK(weft_stream_new(model, capacity, &stream) == WEFT_OK);
  if (stream == NULL) exit((fprintf(stderr, "%s\n", weft_last_error()), 1));
  return stream;
}

static void test_float32(void) {
  weft_model* model = parsed(recurrent_file(0));
  weft_model_info info = WEFT_INIT(weft_model_info);
  weft_run run = WEFT_INIT(weft_run);
  weft_stream *stream = stream_of(model, 0), *copy = NULL, *other;
  double expected[STEPS * O];
  float y[STEPS * O], again[STEPS * O], whole[STEPS * O];
  int t, i;
  recurrent_plainly(expected);
  CHECK(weft_model_describe(model, &info) == WEFT_OK);
  CHECK(info.dtype == WEFT_FLOAT32 && info.inputs == I && info.outputs == O && !info.takes_tokens);
  CHECK(info.context == 0 && strcmp(info.obstacle, "") == 0);
  run.x = weft_view3(x, 1, STEPS, I);
  run.y = weft_view3(whole, 1, STEPS, O);
  CHECK(weft_model_run(model, &run) == WEFT_OK);
  weft_model_free(model); /* the stream keeps what it needs */
  for (t = 0; t < STEPS; ++t) {
    CHECK(weft_stream_position(stream) == t);
    if (t == 3) CHECK(weft_stream_copy(stream, &copy) == WEFT_OK);
    CHECK(weft_stream_step(stream, x + t * I, y + t * O) == WEFT_OK);
  }
  for (i = 0; i < STEPS * O; ++i) {
    CHECK(fabs(y[i] - expected[i]) < tolerance);
    CHECK(fabs(whole[i] - expected[i]) < tolerance);
  }
  CHECK(weft_stream_capacity(stream) == 0);
  CHECK(weft_stream_bytes(stream) > 0);
  weft_stream_reset(stream);
  CHECK(weft_stream_position(stream) == 0);
  CHECK(weft_stream_process(stream, x, again, STEPS) == WEFT_OK);
  CHECK(memcmp(again, y, sizeof y) == 0);
  CHECK(weft_stream_process(copy, x + 3 * I, again + 3 * O, STEPS - 3) == WEFT_OK);
  CHECK(memcmp(again, y, sizeof y) == 0);
  weft_stream_reset(copy);
  CHECK(weft_stream_step(copy, x, again) == WEFT_OK);
  CHECK(weft_stream_assign(stream, copy) == WEFT_OK && weft_stream_position(stream) == 1);
  CHECK(weft_stream_process(stream, x + I, again + O, STEPS - 1) == WEFT_OK);
  CHECK(memcmp(again, y, sizeof y) == 0);
  model = parsed(recurrent_file(1));
  other = stream_of(model, 0);
  CHECK(weft_stream_assign(stream, other) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_position(stream) == STEPS);
  weft_stream_free(stream);
  weft_stream_free(copy);
  weft_stream_free(other);
  weft_model_free(model);
}

static void test_float64(void) {
  weft_model* model = parsed(recurrent_file(1));
  weft_model_info info = WEFT_INIT(weft_model_info);
  weft_run run = WEFT_INIT(weft_run);
  weft_stream* stream = stream_of(model, 0);
  double expected[STEPS * O], y[STEPS * O], wide[STEPS * I];
  float narrow[O];
  int i;
  recurrent_plainly(expected);
  CHECK(weft_model_describe(model, &info) == WEFT_OK && info.dtype == WEFT_FLOAT64);
  for (i = 0; i < STEPS * I; ++i) wide[i] = x[i];
  CHECK(weft_stream_step_f64(stream, wide, y) == WEFT_OK);
  CHECK(weft_stream_process_f64(stream, wide + I, y + O, STEPS - 1) == WEFT_OK);
  for (i = 0; i < STEPS * O; ++i) CHECK(fabs(y[i] - expected[i]) < 1e-13);
  CHECK(weft_stream_step(stream, x, narrow) == WEFT_WRONG_INPUT);
  CHECK(weft_stream_process(stream, x, narrow, 1) == WEFT_WRONG_INPUT);
  CHECK(weft_stream_step_token_f64(stream, 0, y) == WEFT_WRONG_INPUT);
  CHECK(weft_stream_position(stream) == STEPS);
  run.x = weft_view3(wide, 1, STEPS, I);
  run.y = weft_view3(y, 1, STEPS, O);
  CHECK(weft_model_run(model, &run) == WEFT_OK);
  for (i = 0; i < STEPS * O; ++i) CHECK(fabs(y[i] - expected[i]) < 1e-13);
  weft_stream_free(stream);
  weft_model_free(model);
}

static void test_tokens(void) {
  const tensor tensors[] = {{"e", V, H, u}, {"out", O, H, out}};
  const char* graph =
      "{'op':'sequential','layers':[{'op':'embedding','weight':'e'}"
      ","
      "{'op':'linear','weight':'out'}]}";
  const int64_t tokens[3] = {2, 0, 3};
  const int64_t bad[3] = {1, V, 1};
  int is_double, t, i, j;
  for (is_double = 0; is_double < 2; ++is_double) {
    weft_model* model = parsed(make_file(graph, is_double, tensors, 2));
    weft_model_info info = WEFT_INIT(weft_model_info);
    weft_run run = WEFT_INIT(weft_run);
    weft_stream* stream = stream_of(model, 0);
    float y[3 * O];
    double wide[3 * O], expected;
    CHECK(weft_model_describe(model, &info) == WEFT_OK && info.takes_tokens && info.inputs == V);
    run.x = weft_view2(tokens, 1, 3);
    run.y = weft_view3(is_double ? (void*)wide : (void*)y, 1, 3, O);
    CHECK(weft_model_run(model, &run) == WEFT_OK);
    if (is_double) {
      CHECK(weft_stream_process_tokens_f64(stream, tokens, wide, 2) == WEFT_OK);
      CHECK(weft_stream_step_token_f64(stream, tokens[2], wide + 2 * O) == WEFT_OK);
      CHECK(weft_stream_step_token_f64(stream, -1, wide) == WEFT_BAD_TOKEN);
    } else {
      CHECK(weft_stream_process_tokens(stream, tokens, y, 2) == WEFT_OK);
      CHECK(weft_stream_step_token(stream, tokens[2], y + 2 * O) == WEFT_OK);
      CHECK(weft_stream_step_token(stream, -1, y) == WEFT_BAD_TOKEN);
      CHECK(weft_stream_step(stream, x, y) == WEFT_WRONG_INPUT);
    }
    for (t = 0; t < 3; ++t)
      for (i = 0; i < O; ++i) {
        for (expected = 0, j = 0; j < H; ++j) expected += out[i * H + j] * u[tokens[t] * H + j];
        CHECK(fabs((is_double ? wide[t * O + i] : y[t * O + i]) - expected) < tolerance);
      }
    CHECK(weft_stream_position(stream) == 3);
    if (!is_double) CHECK(weft_stream_process_tokens(stream, bad, y, 3) == WEFT_BAD_TOKEN);
    if (!is_double) CHECK(weft_stream_position(stream) == 3); /* nor the one before it */
    weft_stream_free(stream);
    weft_model_free(model);
  }
}

static void test_capacity(void) {
  const tensor tensors[] = {{"p", 3, I, w}};
  weft_model* model = parsed(make_file("{'op':'learned_positions','weight':'p'}", 0, tensors, 1));
  weft_stream *stream = stream_of(model, 3), *refused = stream;
  float y[STEPS * I];
  CHECK(weft_stream_new(model, -1, &refused) == WEFT_INVALID_ARGUMENT && refused == NULL);
  CHECK(weft_stream_capacity(stream) == 3);
  CHECK(weft_stream_process(stream, x, y, STEPS) == WEFT_FULL);
  CHECK(weft_stream_position(stream) == 0);
  CHECK(weft_stream_process(stream, x, y, 3) == WEFT_OK);
  CHECK(weft_stream_position(stream) == 3);
  CHECK(fabs(y[2 * I] - (x[2 * I] + w[2 * I])) < tolerance);
  weft_stream_free(stream);
  weft_model_free(model);
}

int main(void) {
  w = numbers(H * I, 1), u = numbers(V * H, 2), b = numbers(H, 3), out = numbers(O * H, 4);
  bias = numbers(O, 5), x = numbers(STEPS * I, 6);
  test_float32();
  test_float64();
  test_tokens();
  test_capacity();
  return failures();
}
