/* What the C interface says of calls that are wrong, and of structs of other versions. */
#include "check.h"
#include "weft/weft.h"

#define CHECK_FAILS(status, code, part)               \
  do {                                                \
    CHECK((status) == (code));                        \
    CHECK(strstr(weft_last_error(), (part)) != NULL); \
  } while (0)

enum { R = 3, I = 4, O = 2 };
static float x[R * I], w[O * I], y[R * O];

static weft_linear good_call(void) {
  weft_linear call = WEFT_INIT(weft_linear);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  call.x = weft_view2(x, R, I);
  call.weight = weft_view2(w, O, I);
  call.y = weft_view2(y, R, O);
  CHECK(weft_linear_sizes(&call, &sizes) == WEFT_OK);
  call.workspace = memory(sizes.forward);
  call.workspace_bytes = sizes.forward;
  return call;
}

static void test_no_error_yet(void) {
  int32_t status;
  CHECK(strcmp(weft_last_error(), "") == 0);
  for (status = WEFT_OK; status <= WEFT_INTERNAL_ERROR + 1; ++status)
    CHECK(strlen(weft_status_text(status)) > 0);
}

static void test_arguments(void) {
  weft_linear call = good_call();
  CHECK(weft_linear_forward(&call) == WEFT_OK);
  call.x = weft_view2(x, R, I + 1);
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT,
              "linear_forward: weight must be (O, I) = (2, 5), got (2, 4)");
  call = good_call();
  call.x.shape[0] = -1;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT,
              "linear_forward: x must have no negative sizes, got (-1, 4)");
  call = good_call();
  call.y.data = NULL;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "linear_forward: y must not be null");
  call = good_call();
  call.x.stride[1] = 2;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "x must have a contiguous last axis");
  call = good_call();
  call.dtype = 2;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "dtype must be");
  call = good_call();
  call.threads = -1;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "threads must be at least 0, got -1");
  call = good_call();
  call.threads = INT32_MAX;
  CHECK(weft_linear_forward(&call) == WEFT_OK); /* no more than the workspace is for */
  call.workspace_bytes = 4;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "workspace must have at least");
  call = good_call();
  call.workspace = (char*)call.workspace + 4;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "workspace must be 64-byte aligned");
  call = good_call();
  call.workspace = NULL;
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "workspace must have at least");
}

static void test_sequence_arguments(void) {
  static float state[R * O];
  weft_recurrent call = WEFT_INIT(weft_recurrent);
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  CHECK_FAILS(weft_recurrent_forward(&call), WEFT_INVALID_ARGUMENT, "cell must not be null");
  call.cell = "elman";
  CHECK_FAILS(weft_recurrent_forward(&call), WEFT_INVALID_ARGUMENT, "got \"elman\"");
  call.cell = "rnn_relu";
  call.x = weft_view3(x, R, 1, I);
  call.w_ih = weft_view2(w, O, I);
  call.w_hh = weft_view2(w, O, O);
  call.y = weft_view3(y, R, 1, O);
  call.h_n = weft_view2(state, R, O);
  CHECK_FAILS(weft_recurrent_forward(&call), WEFT_INVALID_ARGUMENT, "workspace must have at least");
  CHECK(weft_recurrent_sizes(&call, &sizes) == WEFT_OK);
  CHECK(sizes.saved == 0 && sizes.forward > 0);
  call.workspace_bytes = sizes.forward;
  call.workspace = memory(sizes.forward);
  CHECK(weft_recurrent_forward(&call) == WEFT_OK);
  call.threads = INT32_MAX;
  CHECK(weft_recurrent_sizes(&call, &sizes) == WEFT_OK);
  call.threads = 0;
  call.training = 1;
  CHECK(weft_recurrent_sizes(&call, &sizes) == WEFT_OK);
  call.workspace_bytes = sizes.forward;
  call.workspace = memory(sizes.forward);
  CHECK_FAILS(weft_recurrent_forward(&call), WEFT_INVALID_ARGUMENT, "saved must have at least");
  CHECK_FAILS(weft_recurrent_backward(&call), WEFT_INVALID_ARGUMENT, "saved must have at least");
}

static void test_values(void) {
  weft_dropout dropout = WEFT_INIT(weft_dropout);
  weft_layer_norm norm = WEFT_INIT(weft_layer_norm);
  weft_activation activation = WEFT_INIT(weft_activation);
  weft_sdpa sdpa = WEFT_INIT(weft_sdpa);
  weft_cross_entropy loss = WEFT_INIT(weft_cross_entropy);
  const int64_t targets[R] = {0, 4, 1};
  dropout.p = NAN;
  CHECK_FAILS(weft_dropout_forward(&dropout), WEFT_INVALID_ARGUMENT, "p must be in [0, 1], got nan");
  norm.eps = NAN;
  CHECK_FAILS(weft_layer_norm_forward(&norm), WEFT_INVALID_ARGUMENT, "eps must be");
  norm.eps = 0;
  norm.x = norm.y = weft_view2(x, R, I);
  norm.mean = weft_view1(x, R);
  CHECK_FAILS(weft_layer_norm_forward(&norm), WEFT_INVALID_ARGUMENT, "mean must be (R, 2) = (3, 2)");
  activation.function = 6;
  CHECK_FAILS(weft_activation_forward(&activation), WEFT_INVALID_ARGUMENT, "function must be");
  activation.function = -1;
  CHECK_FAILS(weft_activation_backward(&activation), WEFT_INVALID_ARGUMENT, "function must be");
  activation.function = WEFT_TANH;
  activation.reserved = 1;
  CHECK_FAILS(weft_activation_backward(&activation), WEFT_INVALID_ARGUMENT, "reserved must be 0");
  sdpa.scale = NAN;
  CHECK_FAILS(weft_sdpa_forward(&sdpa), WEFT_INVALID_ARGUMENT, "scale must be finite");
  loss.logits = weft_view2(x, R, I);
  loss.targets = weft_view1(targets, R);
  CHECK_FAILS(weft_cross_entropy_forward(&loss, NULL, NULL), WEFT_INVALID_ARGUMENT, "got 4 at index 1");
  CHECK_FAILS(weft_set_num_threads(0), WEFT_INVALID_ARGUMENT, "threads must be at least 1, got 0");
  CHECK_FAILS(weft_set_isa("mmx"), WEFT_INVALID_ARGUMENT, "got \"mmx\"");
  CHECK_FAILS(weft_set_isa(NULL), WEFT_INVALID_ARGUMENT, "name must not be null");
  CHECK(weft_set_num_threads(3) == WEFT_OK && weft_num_threads() == 3);
}

/* 2^62 times the same few elements: what a caller may say of no memory, and nothing may multiply unchecked.
 */
static weft_view huge(int axes) {
  weft_view view = weft_view4(x, (int64_t)1 << 62, axes > 1 ? 4 : 1, axes > 2 ? 4 : 1, axes > 3 ? 4 : 1);
  memset(view.stride, 0, sizeof view.stride);
  view.stride[axes - 1] = axes > 1;
  return view;
}

static void test_sizes(void) {
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_linear product = WEFT_INIT(weft_linear);
  weft_recurrent sequences = WEFT_INIT(weft_recurrent);
#define CHECK_HUGE(type, field, axes, call_of)                                                 \
  do {                                                                                         \
    type call = WEFT_INIT(type);                                                               \
    call.field = huge(axes);                                                                   \
    CHECK_FAILS(call_of, WEFT_INVALID_ARGUMENT, #field " overflows 64-bit sizes, got shape "); \
  } while (0)
  CHECK_HUGE(weft_linear, x, 2, weft_linear_forward(&call));
  CHECK_HUGE(weft_linear, weight, 2, weft_linear_sizes(&call, &sizes));
  CHECK_HUGE(weft_linear, dy, 2, weft_linear_backward(&call));
  CHECK_HUGE(weft_embedding, indices, 1, weft_embedding_forward(&call));
  CHECK_HUGE(weft_embedding, dy, 2, weft_embedding_backward(&call));
  CHECK_HUGE(weft_layer_norm, x, 2, weft_layer_norm_forward(&call));
  CHECK_HUGE(weft_layer_norm, dy, 2, weft_layer_norm_backward(&call));
  CHECK_HUGE(weft_activation, x, 1, weft_activation_forward(&call));
  CHECK_HUGE(weft_activation, dy, 1, weft_activation_backward(&call));
  CHECK_HUGE(weft_swiglu, x, 2, weft_swiglu_forward(&call));
  CHECK_HUGE(weft_swiglu, dy, 2, weft_swiglu_backward(&call));
  CHECK_HUGE(weft_rotary, x, 4, weft_rotary_forward(&call));
  CHECK_HUGE(weft_rotary, dy, 4, weft_rotary_backward(&call));
  CHECK_HUGE(weft_dropout, x, 1, weft_dropout_forward(&call));
  CHECK_HUGE(weft_dropout, dy, 1, weft_dropout_backward(&call));
  CHECK_HUGE(weft_cross_entropy, logits, 2, weft_cross_entropy_forward(&call, NULL, NULL));
  CHECK_HUGE(weft_cross_entropy, normalizer, 2, weft_cross_entropy_backward(&call));
  CHECK_HUGE(weft_sdpa, q, 4, weft_sdpa_sizes(&call, &sizes));
  CHECK_HUGE(weft_sdpa, v, 4, weft_sdpa_forward(&call));
  CHECK_HUGE(weft_sdpa, mask, 4, weft_sdpa_weights(&call));
  /* Each for itself is a number that there is; their products are none. */
  product.weight = weft_view2(w, (int64_t)1 << 40, (int64_t)1 << 20);
  CHECK_FAILS(weft_linear_sizes(&product, &sizes), WEFT_INVALID_ARGUMENT, "the size of weight overflows");
  sequences.cell = "rnn_relu";
  sequences.x = weft_view3(x, (int64_t)1 << 30, (int64_t)1 << 30, 1);
  sequences.w_ih = weft_view2(w, O, 1);
  sequences.w_hh = weft_view2(w, O, O);
  CHECK_FAILS(weft_recurrent_sizes(&sequences, &sizes), WEFT_INVALID_ARGUMENT, "B T H overflows");
  sequences.x = huge(3);
  CHECK_FAILS(weft_recurrent_sizes(&sequences, &sizes), WEFT_INVALID_ARGUMENT, "x overflows 64-bit sizes");
}

static void test_null(void) {
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  weft_linear call = good_call();
  CHECK(weft_linear_sizes(&call, NULL) == WEFT_INVALID_ARGUMENT);
#define CHECK_NULL(status) CHECK_FAILS(status, WEFT_INVALID_ARGUMENT, "call must not be null")
  CHECK_NULL(weft_linear_sizes(NULL, &sizes));
  CHECK_NULL(weft_linear_forward(NULL));
  CHECK_NULL(weft_linear_backward(NULL));
  CHECK_NULL(weft_embedding_forward(NULL));
  CHECK_NULL(weft_embedding_backward(NULL));
  CHECK_NULL(weft_layer_norm_sizes(NULL, &sizes));
  CHECK_NULL(weft_layer_norm_forward(NULL));
  CHECK_NULL(weft_layer_norm_backward(NULL));
  CHECK_NULL(weft_activation_forward(NULL));
  CHECK_NULL(weft_activation_backward(NULL));
  CHECK_NULL(weft_swiglu_forward(NULL));
  CHECK_NULL(weft_swiglu_backward(NULL));
  CHECK_NULL(weft_rotary_forward(NULL));
  CHECK_NULL(weft_rotary_backward(NULL));
  CHECK_NULL(weft_dropout_forward(NULL));
  CHECK_NULL(weft_dropout_backward(NULL));
  CHECK_NULL(weft_cross_entropy_forward(NULL, NULL, NULL));
  CHECK_NULL(weft_cross_entropy_backward(NULL));
  CHECK_NULL(weft_recurrent_sizes(NULL, &sizes));
  CHECK_NULL(weft_recurrent_forward(NULL));
  CHECK_NULL(weft_recurrent_backward(NULL));
  CHECK_NULL(weft_sdpa_sizes(NULL, &sizes));
  CHECK_NULL(weft_sdpa_forward(NULL));
  CHECK_NULL(weft_sdpa_backward(NULL));
  CHECK_NULL(weft_sdpa_bias_gradient(NULL));
  CHECK_NULL(weft_sdpa_weights(NULL));
}

/* An all-zero struct is a call of nothing: whatever it is, it is no crash. */
static void test_nothing(void) {
#define TRY(type, call_of)       \
  do {                           \
    type call = WEFT_INIT(type); \
    CHECK((call_of) >= WEFT_OK); \
    call.dtype = WEFT_FLOAT64;   \
    CHECK((call_of) >= WEFT_OK); \
    call.struct_size = 0;        \
    CHECK((call_of) != WEFT_OK); \
  } while (0)
  TRY(weft_linear, weft_linear_forward(&call));
  TRY(weft_linear, weft_linear_backward(&call));
  TRY(weft_embedding, weft_embedding_forward(&call));
  TRY(weft_embedding, weft_embedding_backward(&call));
  TRY(weft_layer_norm, weft_layer_norm_forward(&call));
  TRY(weft_layer_norm, weft_layer_norm_backward(&call));
  TRY(weft_activation, weft_activation_forward(&call));
  TRY(weft_activation, weft_activation_backward(&call));
  TRY(weft_swiglu, weft_swiglu_forward(&call));
  TRY(weft_swiglu, weft_swiglu_backward(&call));
  TRY(weft_rotary, weft_rotary_forward(&call));
  TRY(weft_rotary, weft_rotary_backward(&call));
  TRY(weft_dropout, weft_dropout_forward(&call));
  TRY(weft_dropout, weft_dropout_backward(&call));
  TRY(weft_cross_entropy, weft_cross_entropy_forward(&call, NULL, NULL));
  TRY(weft_cross_entropy, weft_cross_entropy_backward(&call));
  TRY(weft_recurrent, weft_recurrent_forward(&call));
  TRY(weft_recurrent, weft_recurrent_backward(&call));
  TRY(weft_sdpa, weft_sdpa_forward(&call));
  TRY(weft_sdpa, weft_sdpa_backward(&call));
  TRY(weft_sdpa, weft_sdpa_bias_gradient(&call));
  TRY(weft_sdpa, weft_sdpa_weights(&call));
}

static void test_versions(void) {
  struct {
    weft_linear known;
    double added;
  } newer;
  weft_linear older = good_call();
  weft_sizes sizes = WEFT_INIT(weft_sizes);
  struct {
    weft_sizes known;
    size_t added;
  } more;
  /* What an older struct ends before is as if it were zero: no workspace here. */
  older.struct_size = offsetof(weft_linear, workspace);
  CHECK_FAILS(weft_linear_forward(&older), WEFT_INVALID_ARGUMENT, "workspace must have at least");
  memset(&newer, 0, sizeof newer);
  newer.known = good_call();
  newer.known.struct_size = sizeof newer;
  CHECK(weft_linear_forward(&newer.known) == WEFT_OK);
  newer.added = 1;
  CHECK_FAILS(weft_linear_forward(&newer.known), WEFT_INVALID_ARGUMENT, "fields that version");
  newer.known.struct_size = (size_t)-1;
  CHECK_FAILS(weft_linear_forward(&newer.known), WEFT_INVALID_ARGUMENT, "struct_size must be");
  older = good_call();
  sizes.struct_size = offsetof(weft_sizes, backward);
  sizes.backward = 77;
  CHECK(weft_linear_sizes(&older, &sizes) == WEFT_OK);
  CHECK(sizes.forward > 0 && sizes.backward == 77); /* nothing is written beyond it */
  memset(&more, 0xFF, sizeof more);
  more.known.struct_size = sizeof more;
  CHECK(weft_linear_sizes(&older, &more.known) == WEFT_OK);
  CHECK(more.known.struct_size == sizeof more && more.known.backward > 0 && more.added == 0);
}

static void test_long_message(void) {
  static char name[3000];
  size_t i;
  memset(name, 'a', sizeof name - 1);
  CHECK(weft_set_isa(name) == WEFT_INVALID_ARGUMENT);
  CHECK(strlen(weft_last_error()) == 1023);
  for (i = 0; i < sizeof name - 1; ++i) name[i] = i % 2 ? '\xA9' : '\xC3'; /* letters of two bytes */
  for (i = 0; i < 2; ++i) { /* the end falls between two letters, or within one */
    const char* end;
    CHECK(weft_set_isa(name + i) == WEFT_INVALID_ARGUMENT);
    end = weft_last_error() + strlen(weft_last_error());
    CHECK(end[-1] == '\xA9' && strlen(weft_last_error()) >= 1022);
  }
}

/* WEFT_ISA names one that no machine has: every call says so. */
static int no_such_isa(void) {
  weft_linear call = WEFT_INIT(weft_linear);
  call.x = weft_view2(x, R, I);
  call.weight = weft_view2(w, O, I);
  call.y = weft_view2(y, R, O);
  CHECK(weft_isa() == NULL);
  CHECK(strstr(weft_last_error(), "WEFT_ISA") != NULL);
  CHECK_FAILS(weft_linear_forward(&call), WEFT_INVALID_ARGUMENT, "\"abacus\"");
  CHECK(weft_set_isa("baseline") == WEFT_OK); /* the program's word goes before */
  CHECK(strcmp(weft_isa(), "baseline") == 0);
  return failures();
}

int main(int count, char** arguments) {
  if (count > 1 && strcmp(arguments[1], "abacus") == 0) return no_such_isa();
  test_no_error_yet();
  test_arguments();
  test_sequence_arguments();
  test_values();
  test_sizes();
  test_null();
  test_nothing();
  test_versions();
  test_long_message();
  return failures();
}
