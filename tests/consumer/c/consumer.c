/* Computes what Python has computed, and compares every bit: consumer <folder>...
 *
 * A folder has model.safetensors, a model of float32 weights; x, the raw features [T, inputs] (float) or
 * tokens [T] (int64_t); and what Python got for them: run, of the whole sequence at once, and step, of one
 * step after the other, both [T, outputs] floats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

typedef struct {
  void* data;
  size_t size;
} contents;

static void stop(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}
static void must(weft_status status, const char* what) {
  if (status != WEFT_OK) stop(what, status == WEFT_BAD_TOKEN ? "a bad token" : weft_last_error());
}

static void path_of(char path[4096], const char* folder, const char* name) {
  if (snprintf(path, 4096, "%s/%s", folder, name) >= 4096) stop(folder, "too long");
}
static contents read_file(const char* folder, const char* name) {
  char path[4096];
  FILE* file;
  contents all = {NULL, 0};
  path_of(path, folder, name);
  file = fopen(path, "rb");
  if (file == NULL) stop(path, "cannot be opened");
  fseek(file, 0, SEEK_END);
  all.size = (size_t)ftell(file);
  all.data = malloc(all.size);
  rewind(file);
  if (all.data == NULL || fread(all.data, 1, all.size, file) != all.size) stop(path, "cannot be read");
  fclose(file);
  return all;
}

static void compare(const char* folder, const char* what, contents expected, const void* got, size_t size) {
  char path[4096];
  path_of(path, folder, what);
  if (expected.size != size) stop(path, "another size");
  if (memcmp(expected.data, got, size) != 0) stop(path, "other bits");
}

static void check(const char* folder) {
  char path[4096];
  const contents x = read_file(folder, "x"), run = read_file(folder, "run"), step = read_file(folder, "step");
  weft_model* model;
  weft_stream* stream;
  weft_model_info info = WEFT_INIT(weft_model_info);
  weft_run call = WEFT_INIT(weft_run);
  int64_t steps, t;
  float* y;

  path_of(path, folder, "model.safetensors");
  must(weft_model_load(path, &model), path);
  must(weft_model_describe(model, &info), path);
  steps = (int64_t)(x.size / (info.takes_tokens ? sizeof(int64_t) : sizeof(float) * (size_t)info.inputs));
  y = malloc((size_t)(steps * info.outputs) * sizeof(float));
  if (y == NULL) stop(folder, "no memory");

  call.x = info.takes_tokens ? weft_view2(x.data, 1, steps) : weft_view3(x.data, 1, steps, info.inputs);
  call.y = weft_view3(y, 1, steps, info.outputs);
  must(weft_model_run(model, &call), path);
  compare(folder, "run", run, y, (size_t)(steps * info.outputs) * sizeof(float));

  must(weft_stream_new(model, 0, &stream), path);
  weft_model_free(model); /* the stream holds what it needs */
  for (t = 0; t < steps; ++t) {
    float* row = y + t * info.outputs;
    must(info.takes_tokens ? weft_stream_step_token(stream, ((const int64_t*)x.data)[t], row)
                           : weft_stream_step(stream, (const float*)x.data + t * info.inputs, row),
         path);
  }
  compare(folder, "step", step, y, (size_t)(steps * info.outputs) * sizeof(float));

  printf("%s: %ld steps, the same bits\n", folder, (long)steps);
  weft_stream_free(stream);
  free(y);
  free(x.data);
  free(run.data);
  free(step.data);
}

int main(int count, char** folders) {
  weft_model* none;
  int i;
  printf("weft %s, %s\n", weft_version(), weft_isa());
  if (weft_model_load("no such file", &none) != WEFT_BAD_FILE || none != NULL || *weft_last_error() == '\0')
    stop("no such file", "must be refused");
  for (i = 1; i < count; ++i) check(folders[i]);
  return 0;
}
