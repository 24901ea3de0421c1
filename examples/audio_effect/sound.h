/* Sound in memory: samples in -1..1, channels side by side. Functions say 0 where all is well, or print why
 * not. */
#ifndef SOUND_H
#define SOUND_H

#include <stddef.h>

struct sound {
  float* samples; /* [frames][channels]; free() it */
  size_t frames;
  int channels, rate;
};

int sound_read_wav(const char* path, struct sound* sound); /* 16-bit PCM */
int sound_write_wav(const char* path, const struct sound* sound);
int sound_test_tone(struct sound* sound); /* two seconds of plucked strings, in stereo */

#endif
