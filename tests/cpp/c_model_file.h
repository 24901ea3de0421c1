/* Files of models, written byte by byte. */
#ifndef WEFT_TESTS_C_MODEL_FILE_H
#define WEFT_TESTS_C_MODEL_FILE_H

#include <stdio.h>
#include <string.h>

/* A tensor of a file, [rows, columns], or [rows] where columns is 0. */
typedef struct {
  const char* name;
  int rows, columns;
  const float* values;
} tensor;

typedef struct {
  char bytes[4096];
  size_t size;
} model_file;

/* A .safetensors of those tensors, in either precision; the graph has ' for ". */
static inline model_file make_file(const char* graph, int is_double, const tensor* tensors, int count) {
  model_file made;
  const size_t element = is_double ? sizeof(double) : sizeof(float);
  char* header = made.bytes + 8;
  size_t offset = 0;
  int i, j, length = 0;
  memset(&made, 0, sizeof made);
  length += sprintf(header, "{\"__metadata__\":{\"weft\":\"{\\\"format\\\":1,\\\"graph\\\":");
  for (; *graph != '\0'; ++graph) length += sprintf(header + length, *graph == '\'' ? "\\\"" : "%c", *graph);
  length += sprintf(header + length, "}\"}");
  for (i = 0; i < count; ++i) {
    const tensor* t = tensors + i;
    const size_t end = offset + element * (size_t)(t->rows * (t->columns ? t->columns : 1));
    length += sprintf(header + length, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", t->name,
                      is_double ? "F64" : "F32", t->rows);
    if (t->columns) length += sprintf(header + length, ",%d", t->columns);
    length += sprintf(header + length, "],\"data_offsets\":[%d,%d]}", (int)offset, (int)end);
    offset = end;
  }
  length += sprintf(header + length, "}");
  while (length % 8 != 0) header[length++] = ' ';
  for (i = 0; i < 8; ++i) made.bytes[i] = (char)((unsigned long long)length >> (8 * i));
  made.size = 8 + (size_t)length;
  for (i = 0; i < count; ++i)
    for (j = 0; j < tensors[i].rows * (tensors[i].columns ? tensors[i].columns : 1); ++j) {
      const double wide = tensors[i].values[j];
      const void* value = is_double ? (const void*)&wide : (const void*)(tensors[i].values + j);
      memcpy(made.bytes + made.size, value, element);
      made.size += element;
    }
  return made;
}

#endif
