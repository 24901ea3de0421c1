#include "sound.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char* path, const char* why) {
  fprintf(stderr, "%s: %s\n", path, why);
  return 1;
}

static uint32_t little(const unsigned char* bytes, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value |= (uint32_t)bytes[i] << (8 * i);
  return value;
}

/* The samples of a chunk of `size` bytes at the file's present place. */
static int read_samples(FILE* file, const char* path, uint32_t size, struct sound* sound) {
  unsigned char* bytes = malloc(size + 1);
  sound->frames = size / 2 / (size_t)sound->channels;
  const size_t count = sound->frames * (size_t)sound->channels;
  sound->samples = malloc((count + 1) * sizeof *sound->samples);
  const int whole = bytes && sound->samples && fread(bytes, 1, size, file) == size;
  for (size_t i = 0; whole && i < count; ++i)
    sound->samples[i] = (float)((int)(little(bytes + 2 * i, 2) ^ 0x8000u) - 0x8000) / 32768.0f;
  free(bytes);
  if (whole) return 0;
  free(sound->samples);
  return fail(path, "ends too early");
}

static int read_chunks(FILE* file, const char* path, struct sound* sound) {
  unsigned char head[12], format[16];
  if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0)
    return fail(path, "no WAV file");
  sound->channels = 0;
  while (fread(head, 1, 8, file) == 8) {
    const uint32_t size = little(head + 4, 4);
    if (memcmp(head, "data", 4) == 0 && sound->channels > 0) return read_samples(file, path, size, sound);
    long skip = (long)size + (long)(size & 1);
    if (memcmp(head, "fmt ", 4) == 0) {
      if (size < 16 || fread(format, 1, 16, file) != 16) return fail(path, "has a broken format");
      if (little(format, 2) != 1 || little(format + 14, 2) != 16) return fail(path, "is not 16-bit PCM");
      sound->channels = (int)little(format + 2, 2);
      sound->rate = (int)little(format + 4, 4);
      skip -= 16;
    }
    if (fseek(file, skip, SEEK_CUR) != 0) break;
  }
  return fail(path, "has no sound");
}

int sound_read_wav(const char* path, struct sound* sound) {
  FILE* file = fopen(path, "rb");
  if (!file) return fail(path, "cannot be read");
  const int status = read_chunks(file, path, sound);
  fclose(file);
  return status;
}

static void put(FILE* file, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) fputc((int)(value >> (8 * i)) & 0xFF, file);
}

int sound_write_wav(const char* path, const struct sound* sound) {
  FILE* file = fopen(path, "wb");
  if (!file) return fail(path, "cannot be written");
  const uint32_t channels = (uint32_t)sound->channels, rate = (uint32_t)sound->rate;
  const size_t count = sound->frames * channels;
  fputs("RIFF", file), put(file, (uint32_t)(36 + 2 * count), 4);
  fputs("WAVEfmt ", file), put(file, 16, 4), put(file, 1, 2), put(file, channels, 2), put(file, rate, 4);
  put(file, rate * channels * 2, 4), put(file, channels * 2, 2), put(file, 16, 2);
  fputs("data", file), put(file, (uint32_t)(2 * count), 4);
  for (size_t i = 0; i < count; ++i) {
    const float sample = sound->samples[i] > 1 ? 1 : sound->samples[i] < -1 ? -1 : sound->samples[i];
    put(file, (uint32_t)lrintf(sample * 32767), 2);
  }
  return fclose(file) == 0 ? 0 : fail(path, "cannot be written");
}

int sound_test_tone(struct sound* sound) {
  const double turn = 6.283185307179586;
  sound->channels = 2, sound->rate = 44100, sound->frames = 88200;
  sound->samples = malloc(2 * sound->frames * sizeof *sound->samples);
  if (!sound->samples) return fail("test tone", "out of memory");
  for (size_t i = 0; i < sound->frames; ++i) {
    const double t = (double)(i % 22050) / 44100, loudness = 0.5 * exp(-6 * t);
    const double pitch = 110 * pow(2, (double)(i / 22050 * 5) / 12); /* a fourth up every half second */
    sound->samples[2 * i] = (float)(loudness * sin(turn * pitch * t));
    sound->samples[2 * i + 1] = (float)(loudness * sin(turn * pitch * 1.5 * t));
  }
  return 0;
}
