/* What the C interface says of files that are no models, of null handles, and of models with an obstacle. */
#include "c_model_file.h"
#include "check.h"
#include "weft/weft.h"

#define CHECK_FAILS(status, code, part)               \
  do {                                                \
    CHECK((status) == (code));                        \
    CHECK(strstr(weft_last_error(), (part)) != NULL); \
  } while (0)

static model_file file_of(const char* graph) {
  static const float one = 1;
  const tensor tensors[] = {{"w", 1, 1, &one}};
  return make_file(graph, 0, tensors, 1);
}
static const char linear[] = "{'op':'linear','weight':'w'}";

static void test_files(void) {
  const model_file file = file_of(linear);
  const char* bytes = file.bytes;
  const size_t size = file.size;
  weft_model* model = (weft_model*)&failure_count; /* not null */
  size_t cut;
  FILE* written;
  CHECK_FAILS(weft_model_load("no/such.safetensors", &model), WEFT_BAD_FILE, "no/such.safetensors");
  CHECK(model == NULL);
  CHECK_FAILS(weft_model_load(NULL, &model), WEFT_INVALID_ARGUMENT, "path must not be null");
  CHECK_FAILS(weft_model_load("x", NULL), WEFT_INVALID_ARGUMENT, "model must not be null");
  CHECK_FAILS(weft_model_parse(NULL, 8, &model), WEFT_INVALID_ARGUMENT, "file must not be null");
  CHECK_FAILS(weft_model_parse(bytes, 8, NULL), WEFT_INVALID_ARGUMENT, "model must not be null");
  for (cut = 0; cut < size; ++cut) {
    char* copy = (char*)malloc(cut + 1); /* its own: what is read beyond its end shows */
    memcpy(copy, bytes, cut);
    CHECK(weft_model_parse(copy, cut, &model) == WEFT_BAD_FILE && model == NULL);
    free(copy);
  }
  CHECK(weft_model_parse(bytes, size, &model) == WEFT_OK && model != NULL);
  weft_model_free(model);
  written = fopen("test_c_model_errors.safetensors", "wb");
  CHECK(fwrite(bytes, 1, size, written) == size && fclose(written) == 0);
  CHECK(weft_model_load("test_c_model_errors.safetensors", &model) == WEFT_OK);
  weft_model_free(model);
  CHECK(remove("test_c_model_errors.safetensors") == 0);
}

static void test_obstacle(void) {
  weft_model* model = NULL;
  weft_stream* stream = NULL;
  weft_model_info info = WEFT_INIT(weft_model_info);
  const model_file file = file_of(
      "{'op':'bidirectional','forwards':{'op':'recurrent','cell':'rnn_tanh','w_ih':'w','w_hh':'w'},"
      "'backwards':{'op':'recurrent','cell':'rnn_tanh','w_ih':'w','w_hh':'w'}}");
  CHECK(weft_model_parse(file.bytes, file.size, &model) == WEFT_OK);
  CHECK(weft_model_describe(model, &info) == WEFT_OK && strlen(info.obstacle) > 0);
  CHECK_FAILS(weft_stream_new(model, 0, &stream), WEFT_INVALID_ARGUMENT, info.obstacle);
  CHECK(stream == NULL);
  weft_model_free(model);
}

static void test_run(void) {
  const model_file file = file_of(linear);
  float x[6] = {1, 2, 3, 4, 5, 6}, y[6];
  weft_model* model = NULL;
  weft_run call = WEFT_INIT(weft_run);
  CHECK(weft_model_parse(file.bytes, file.size, &model) == WEFT_OK);
  call.x = weft_view3(x, 2, 3, 1);
  call.y = weft_view3(y, 2, 3, 1);
  CHECK(weft_model_run(model, &call) == WEFT_OK);
  call.threads = -1;
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "threads must be at least 0");
  call.threads = 0;
  call.reserved = 1;
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "reserved must be 0");
  call.reserved = 0;
  call.x = weft_view3(x, 2, 1, 3);
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "x must be");
  call.x = weft_view3(NULL, 2, 3, 1);
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "x must not be null");
  call.x = weft_view3(x, 2, 3, 1);
  call.y = weft_view3(y, 2, 2, 1);
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "y must be");
  /* Rows that a caller says of one element: their number wraps to 0. */
  call.x = call.y = weft_view3(x, (int64_t)1 << 62, 4, 1);
  call.x.stride[0] = call.y.stride[0] = 0;
  CHECK_FAILS(weft_model_run(model, &call), WEFT_INVALID_ARGUMENT, "overflows 64-bit sizes, got shape");
  call.x = call.y = weft_view3(x, (int64_t)1 << 40, 0, 1); /* and rows of nothing are nothing */
  CHECK(weft_model_run(model, &call) == WEFT_OK);
  CHECK_FAILS(weft_model_run(model, NULL), WEFT_INVALID_ARGUMENT, "call must not be null");
  CHECK_FAILS(weft_model_run(NULL, &call), WEFT_INVALID_ARGUMENT, "model must not be null");
  weft_model_free(model);
}

static void test_unused_tensors(void) {
  static const float one = 1;
  const tensor tensors[] = {{"w", 1, 1, &one}, {"other.b", 1, 0, &one}, {"other.a", 1, 0, &one}};
  const model_file all_used = file_of(linear), two_more = make_file(linear, 0, tensors, 3);
  weft_model* model = NULL;
  CHECK(weft_model_unused_tensor(NULL, 0) == NULL);
  CHECK(weft_model_parse(all_used.bytes, all_used.size, &model) == WEFT_OK);
  CHECK(weft_model_unused_tensor(model, 0) == NULL);
  weft_model_free(model);
  CHECK(weft_model_parse(two_more.bytes, two_more.size, &model) == WEFT_OK);
  CHECK(weft_model_unused_tensor(model, -1) == NULL);
  CHECK(strcmp(weft_model_unused_tensor(model, 0), "other.a") == 0);
  CHECK(strcmp(weft_model_unused_tensor(model, 1), "other.b") == 0);
  CHECK(weft_model_unused_tensor(model, 2) == NULL);
  weft_model_free(model);
}

static void test_null(void) {
  const model_file file = file_of(linear);
  char before[1024];
  const int64_t tokens[1] = {0};
  float x[1] = {0}, y[1];
  double x64[1] = {0}, y64[1];
  weft_model* model = NULL;
  weft_stream *stream = NULL, *copy = (weft_stream*)before;
  weft_model_info info = WEFT_INIT(weft_model_info);
  CHECK(weft_model_parse(file.bytes, file.size, &model) == WEFT_OK);
  CHECK_FAILS(weft_model_describe(NULL, &info), WEFT_INVALID_ARGUMENT, "model must not be null");
  CHECK_FAILS(weft_model_describe(model, NULL), WEFT_INVALID_ARGUMENT, "info must not be null");
  CHECK_FAILS(weft_stream_new(NULL, 0, &stream), WEFT_INVALID_ARGUMENT, "model must not be null");
  CHECK_FAILS(weft_stream_new(model, 0, NULL), WEFT_INVALID_ARGUMENT, "stream must not be null");
  CHECK_FAILS(weft_stream_copy(NULL, &copy), WEFT_INVALID_ARGUMENT, "stream must not be null");
  CHECK(copy == NULL);
  CHECK(weft_stream_new(model, 0, &stream) == WEFT_OK);
  CHECK_FAILS(weft_stream_copy(stream, NULL), WEFT_INVALID_ARGUMENT, "copy must not be null");
  strcpy(before, weft_last_error());
  CHECK(weft_stream_step(NULL, x, y) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step(stream, NULL, y) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step(stream, x, NULL) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step_f64(NULL, x64, y64) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step_f64(stream, x64, y64) == WEFT_WRONG_INPUT);
  CHECK(weft_stream_step_token(NULL, 0, y) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step_token(stream, 0, NULL) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_step_token(stream, 0, y) == WEFT_WRONG_INPUT);
  CHECK(weft_stream_step_token_f64(NULL, 0, y64) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process(NULL, x, y, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process(stream, x, y, -1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process(stream, NULL, NULL, 0) == WEFT_OK);
  CHECK(weft_stream_process(stream, NULL, y, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process_f64(NULL, x64, y64, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process_tokens(NULL, tokens, y, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process_tokens(stream, NULL, y, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_process_tokens_f64(NULL, tokens, y64, 1) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_assign(stream, NULL) == WEFT_INVALID_ARGUMENT);
  CHECK(weft_stream_assign(NULL, stream) == WEFT_INVALID_ARGUMENT);
  CHECK(strcmp(before, weft_last_error()) == 0); /* real time leaves it alone */
  CHECK(weft_stream_position(NULL) == 0 && weft_stream_capacity(NULL) == 0 && weft_stream_bytes(NULL) == 0);
  weft_stream_reset(NULL);
  weft_stream_free(NULL);
  weft_model_free(NULL);
  weft_stream_free(stream);
  weft_model_free(model);
}

int main(void) {
  test_files();
  test_obstacle();
  test_run();
  test_unused_tensors();
  test_null();
  return failures();
}
