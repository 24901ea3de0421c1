/* What the C tests share: CHECK(), numbers, aligned memory. A test program returns failures(). */
#ifndef WEFT_TESTS_CHECK_H
#define WEFT_TESTS_CHECK_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failure_count = 0;
static void* owned[4096];
static int owned_count = 0;

/* Frees what the functions below have allocated; the exit code of a test program. */
static inline int failures(void) {
  while (owned_count > 0) free(owned[--owned_count]);
  if (failure_count > 0) fprintf(stderr, "%d checks failed\n", failure_count);
  return failure_count > 0 ? 1 : 0;
}

static inline void check_at(int holds, const char* what, const char* file, int line) {
  if (holds) return;
  if (++failure_count <= 20) fprintf(stderr, "%s:%d: %s\n", file, line, what);
}
#define CHECK(holds) check_at((holds) != 0, #holds, __FILE__, __LINE__)

/* 64-byte aligned, full of NaN: what is read before it is written shows. */
static inline void* memory(size_t bytes) {
  char* made = (char*)malloc(bytes + 128);
  if (made == NULL || owned_count == 4096) exit(2);
  owned[owned_count++] = made;
  memset(made, 0xFF, bytes + 128);
  return made + (64 - (uintptr_t)made % 64);
}
static inline float* unwritten(int64_t count) { return (float*)memory((size_t)count * sizeof(float)); }
static inline float* zeros(int64_t count) {
  return (float*)memset(unwritten(count), 0, (size_t)count * sizeof(float));
}
/* In [-1, 1), other ones for each seed. */
static inline float* numbers(int64_t count, uint64_t seed) {
  float* made = unwritten(count);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  int64_t i;
  for (i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    made[i] = (float)((double)(state >> 40) / 8388608.0 - 1.0);
  }
  return made;
}

/* |actual - expected| <= tolerance (1 + |expected|) for every element; NaN fails. */
static inline int close_to(const float* actual, const float* expected, int64_t count, double tolerance) {
  int64_t i;
  for (i = 0; i < count; ++i)
    if (!(fabs((double)actual[i] - expected[i]) <= tolerance * (1 + fabs((double)expected[i])))) return 0;
  return 1;
}

#endif
