/* A trained network as an audio effect, block by block.
 *
 *   effect MODEL OUT.wav [IN.wav]
 *
 * MODEL has one input and one output and does not look ahead; train.py makes one. Without IN.wav a test tone
 * is played. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weft/weft.h>

#include "sound.h"

enum { block = 64, max_channels = 8 };

/* What a plug-in does in its callback: no memory is asked for, nothing is waited for. Each channel has a
 * stream, which is its memory of the sound so far; all share the model's weights. */
static weft_status play_block(weft_stream** streams, float* samples, size_t frames, int channels) {
  float in[block], out[block];
  for (int c = 0; c < channels; ++c) {
    for (size_t i = 0; i < frames; ++i) in[i] = samples[i * (size_t)channels + (size_t)c];
    const weft_status status = weft_stream_process(streams[c], in, out, (int64_t)frames);
    if (status != WEFT_OK) return status;
    for (size_t i = 0; i < frames; ++i) samples[i * (size_t)channels + (size_t)c] = out[i];
  }
  return WEFT_OK;
}

static int play(weft_stream** streams, struct sound* sound) {
  double longest = 0, total = 0;
  for (size_t done = 0; done < sound->frames; done += block) {
    const size_t left = sound->frames - done, frames = left < block ? left : block;
    const clock_t start = clock();
    const weft_status status =
        play_block(streams, sound->samples + done * (size_t)sound->channels, frames, sound->channels);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (status != WEFT_OK) return fprintf(stderr, "effect: %s\n", weft_status_text(status)), 1;
    total += seconds;
    if (seconds > longest) longest = seconds;
  }
  const double time = (double)sound->frames / sound->rate;
  printf(
      "%.1f s of sound in %.3f s: %.2f %% of real time; the slowest block of %d samples took %.0f us of "
      "%.0f\n",
      time, total, 100 * total / time, block, 1e6 * longest, 1e6 * block / sound->rate);
  return 0;
}

int main(int count, char** arguments) {
  struct sound sound;
  weft_model* model = NULL;
  weft_model_info info = WEFT_INIT(weft_model_info);
  weft_stream* streams[max_channels] = {NULL};
  if (count < 3 || count > 4) return fprintf(stderr, "usage: effect MODEL OUT.wav [IN.wav]\n"), 2;
  if (weft_model_load(arguments[1], &model) != WEFT_OK || weft_model_describe(model, &info) != WEFT_OK)
    return fprintf(stderr, "effect: %s\n", weft_last_error()), 1;
  if (count == 4 ? sound_read_wav(arguments[3], &sound) : sound_test_tone(&sound)) return 1;
  int failed =
      info.dtype != WEFT_FLOAT32 || info.inputs != 1 || info.outputs != 1 || sound.channels > max_channels;
  if (failed) fprintf(stderr, "effect: one float32 in, one out, and at most %d channels\n", max_channels);
  for (int c = 0; c < sound.channels && !failed; ++c)
    if (weft_stream_new(model, 0, &streams[c]) != WEFT_OK)
      failed = fprintf(stderr, "effect: %s\n", weft_last_error());
  weft_model_free(model); /* the streams keep what they need of it */
  if (!failed) failed = play(streams, &sound) || sound_write_wav(arguments[2], &sound);
  for (int c = 0; c < max_channels; ++c) weft_stream_free(streams[c]);
  free(sound.samples);
  return failed ? 1 : 0;
}
