// The C interface: kernels, forward and backward, and models in real time. C99 and C++; nothing else is
// needed. It is one file, however long, since a binding to another language is made from one.
//
//   weft_sizes sizes = WEFT_INIT(weft_sizes);
//   weft_linear call = WEFT_INIT(weft_linear);            // all zero: float32, as many threads as there are
//   call.x = weft_view2(x, rows, inputs);                 // in
//   call.weight = weft_view2(weight, outputs, inputs);    // in
//   call.y = weft_view2(y, rows, outputs);                // out
//   if (weft_linear_sizes(&call, &sizes) != WEFT_OK) return puts(weft_last_error());
//   call.workspace = memory;                              // of sizes.forward bytes
//   call.workspace_bytes = sizes.forward;
//   if (weft_linear_forward(&call) != WEFT_OK) return puts(weft_last_error());
//
// Calls. Every family of kernels has one struct: the arguments of forward, which backward takes again, what
// both write, and memory that the caller brings. A call reads the struct and never writes to it; it looks
// only at the fields whose comment says that it needs them. Everything that a call may have is optional
// unless it says so: left out, a view is all zero and a number 0.
//
// Arrays are weft_view: a pointer, a shape, strides in elements. Elements are those of call.dtype, but for
// indices and lengths, which are int64_t, and for masks, which are bytes: true unless 0. The last axis is
// contiguous; the other axes may have any strides unless a comment says "contiguous". `in` is read only and
// may alias other inputs; `out` is overwritten and `accumulated` added to: neither may overlap anything else
// that the call reads or writes.
//
// Memory. Kernels work in memory that the caller brings: ask weft_<family>_sizes with the same call, and
// bring 64-byte aligned memory of at least so many bytes. The number of threads (where call.threads is 0) and
// the instruction set must still be what they were then. A size may be 0, and its memory null. To check that
// there is enough, a recurrent call allocates 16 bytes for each row and each step, and gives them back; calls
// of streams allocate nothing at all.
//
// Threads. A call uses at most call.threads threads, 0: weft_num_threads(). Results are the same bits for any
// number of them. Calls that write different memory may be made from any number of threads at once.
//
// Batches. A row's results, and the gradients of its inputs, are the same bits alone and in a batch of any
// size, on one instruction set. What is a sum over the batch depends on all of it, and so does what dropout
// drops.
//
// Errors. A call that may fail returns a weft_status; where it is not WEFT_OK nothing has been written, and
// weft_last_error() says why. What a call cannot see, such as a pointer to memory that is too small, it does
// not check.
//
// Versions. struct_size is first in every struct: a program that was compiled against an older header, whose
// structs are shorter, goes on working. A longer struct of a newer header is taken as long as what is new in
// it is zero.
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "weft/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a call says. The first four are all that a real-time call says of a well-formed call.
typedef int32_t weft_status;
enum {
  WEFT_OK = 0,
  WEFT_FULL = 1,              // the stream's capacity is used up: reset it, or make one with more
  WEFT_WRONG_INPUT = 2,       // tokens or features, float or double: not what the model takes
  WEFT_BAD_TOKEN = 3,         // a token outside of the vocabulary
  WEFT_INVALID_ARGUMENT = 4,  // a shape, a value, a null pointer: see weft_last_error
  WEFT_BAD_FILE = 5,          // a file that cannot be read, is broken or is not a model
  WEFT_OUT_OF_MEMORY = 6,
  WEFT_INTERNAL_ERROR = 7  // a fault of this library
};

typedef int32_t weft_dtype;
enum { WEFT_FLOAT32 = 0, WEFT_FLOAT64 = 1 };

// A few words for each status. Never null.
WEFT_API const char* weft_status_text(weft_status status);

// Why the last call failed that failed in this thread; "" if none has. It names the operation, the argument,
// what was expected and what was given, in at most 1023 bytes. It stays valid until the next failure in
// this thread. Real-time calls leave it as it was.
WEFT_API const char* weft_last_error(void);

// "major.minor.patch"
WEFT_API const char* weft_version(void);

// The instruction sets that this processor can run, slowest first: "baseline", "avx2", "avx512"; null after
// the last one.
WEFT_API const char* weft_available_isa(int32_t index);

// The one in use: the fastest, or the one that the environment variable WEFT_ISA names; null, with
// weft_last_error, if this machine does not have that.
WEFT_API const char* weft_isa(void);

// Use that one from now on, in every thread; calls under way end on theirs.
WEFT_API weft_status weft_set_isa(const char* name);

// Threads that a call may use: WEFT_NUM_THREADS, else OMP_NUM_THREADS, else the processors that this process
// may run on and its control group's quota pays for; at most 1024. A call takes fewer where they do not help.
WEFT_API int32_t weft_num_threads(void);
WEFT_API weft_status weft_set_num_threads(int32_t threads);

// An array that someone else owns. Null data: left out. Axes beyond those of an argument are not looked at.
typedef struct weft_view {
  void* data;  // what is only read may point to constant memory: the makers below take any pointer
  int64_t shape[4];
  int64_t stride[4];  // in elements
} weft_view;

// C-contiguous arrays.
static inline weft_view weft_view4(const void* data, int64_t a, int64_t b, int64_t c, int64_t d) {
  weft_view view;
  uint64_t step = 1;  // sizes beyond all memory wrap here
  int axis;
  view.data = (void*)(uintptr_t)data;
  view.shape[0] = a;
  view.shape[1] = b;
  view.shape[2] = c;
  view.shape[3] = d;
  for (axis = 3; axis >= 0; --axis) {
    view.stride[axis] = (int64_t)step;
    step *= (uint64_t)view.shape[axis];
  }
  return view;
}
static inline weft_view weft_view3(const void* data, int64_t a, int64_t b, int64_t c) {
  return weft_view4(data, a, b, c, 1);
}
static inline weft_view weft_view2(const void* data, int64_t a, int64_t b) {
  return weft_view4(data, a, b, 1, 1);
}
static inline weft_view weft_view1(const void* data, int64_t a) { return weft_view4(data, a, 1, 1, 1); }

// A struct of that type, all zero but its struct_size.
#define WEFT_INIT(type) type##_init()
#define WEFT_DEFINE_INIT(type)           \
  static inline type type##_init(void) { \
    type made;                           \
    memset(&made, 0, sizeof made);       \
    made.struct_size = sizeof made;      \
    return made;                         \
  }

// Bytes to bring, as the function that was asked says; 0 for what it does not mention.
typedef struct weft_sizes {
  size_t struct_size;
  size_t saved;     // what forward leaves for backward
  size_t forward;   // workspace of forward
  size_t backward;  // workspace of backward, and of the gradient of a bias
  size_t weights;   // workspace of weft_sdpa_weights
} weft_sizes;
WEFT_DEFINE_INIT(weft_sizes)

// ---------------------------------------------------------------------------------------------------------
// Recurrent layers: a whole batch of sequences in one call. T time, B batch, I input, H hidden units, G the
// cell's gates in PyTorch's order (i f g o; r z n), P the width of the state h: H, or with a projection the
// rows of w_proj.
typedef struct weft_recurrent {
  size_t struct_size;
  const char* cell;  // "lstm", "gru" and others, required: the error of an unknown name lists them all
  weft_dtype dtype;
  int32_t threads;
  int32_t training;          // 1: forward writes `saved`, for backward
  int32_t reverse;           // 1: from each row's last valid step to its first
  int64_t checkpoint_every;  // k > 0: save the states of every k-th step only, and compute the others again

  // Needed by forward and backward, which must find them as they were.
  weft_view x;                       // [B, T, I]   in, required
  weft_view w_ih;                    // [G H, I]    in, required
  weft_view w_hh;                    // [G H, P]    in, required
  weft_view b_ih, b_hh;              // [G H]       in
  weft_view w_peephole;              // [3, H]      in, required by cells with peepholes: rows i f o
  weft_view w_proj;                  // [P, H]      in, LSTMs only
  weft_view h0;                      // [B, P]      in: zero
  weft_view c0;                      // [B, H]      in: zero; LSTMs only
  weft_view lengths;                 // [B]         in, int64: T; each in 0..T, in any order
  weft_view resets;                  // [B, T]      in, bytes: the state is zeroed before that step
  weft_view recurrent_dropout_mask;  // [B, T, P]   in: multiplies h where it enters the product
  weft_view zoneout_mask;            // [B, T, P]   in: h = m h_prev + (1 - m) h

  // Needed by forward.
  weft_view y;    // [B, T, P]  out, required; zero past a row's end
  weft_view h_n;  // [B, P]     out, required: the last valid state
  weft_view c_n;  // [B, H]     out, required by LSTMs

  // Needed by backward.
  weft_view dy;            // [B, T, P]  in: zero
  weft_view dh_n, dc_n;    // as h_n, c_n  in: zero
  weft_view dx;            // [B, T, I]  out
  weft_view dw_ih, dw_hh;  // as w_ih, w_hh  accumulated, required
  weft_view db_ih, db_hh;  // as b_ih, b_hh  accumulated, required where those were given
  weft_view dw_peephole;   // as w_peephole  accumulated, likewise
  weft_view dw_proj;       // as w_proj  accumulated, likewise
  weft_view dh0;           // [B, P]     out, required
  weft_view dc0;           // [B, H]     out, required by LSTMs

  void* saved;  // out of a training forward, in of backward: any number of them
  size_t saved_bytes;
  void* workspace;  // scratch
  size_t workspace_bytes;
} weft_recurrent;
WEFT_DEFINE_INIT(weft_recurrent)

// Fills in saved, forward, backward. Needs what forward and backward need, but no output.
WEFT_API weft_status weft_recurrent_sizes(const weft_recurrent* call, weft_sizes* sizes);
WEFT_API weft_status weft_recurrent_forward(const weft_recurrent* call);
// On the instruction set that forward was on.
WEFT_API weft_status weft_recurrent_backward(const weft_recurrent* call);

// ---------------------------------------------------------------------------------------------------------
// Scaled dot-product attention. B batch, N query heads, Nk key heads (N / Nk query heads share one), T
// queries, S keys, D and E elements of a key and of a value.
//
//   S = scale q k^T       S = softcap tanh(S / softcap) if softcap > 0       S += float_mask + bias
//   P = softmax(S) over the keys that a query may attend to       out = drop(P) v
//
// A query with nothing to attend to gives zeros. What lies in keys and values that nobody attends to reaches
// no result.
typedef struct weft_sdpa {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  int32_t windowed;       // 1: a query sees `left` keys before its own position and `right` after it
  int32_t from_end;       // 1: query t stands at key t + keys - T, where keys are those of its row; else at t
  int64_t left, right;    // -1: all; causal attention is windowed, left -1, right 0
  double scale;           // 0: 1 / sqrt(D)
  double softcap;         // 0: none
  double dropout;         // of the weights, in [0, 1)
  uint64_t seed, offset;  // of its random numbers

  // Needed by every function.
  weft_view q;           // [B, N, T, D]   in, required
  weft_view k;           // [B, Nk, S, D]  in, required
  weft_view v;           // [B, Nk, S, E]  in, required
  weft_view mask;        // [B, N, T, S]   in, bytes: not 0 means attend; any strides, 0 where it is broadcast
  weft_view float_mask;  // [B, N, T, S]   in: added; any strides
  weft_view bias;        // [B, N, T, S]   in: added, and may have a gradient; any strides
  weft_view kv_lengths;  // [B]            in, int64: keys of each element of the batch, in 0..S

  // Out of forward, required there; in of all others.
  weft_view out;  // [B, N, T, E]
  // [B, N, T, 2]  contiguous: m = max_s S and sum_s exp(S - m), so that m + log sum is the log-sum-exp. Two
  // numbers, since it would round the sum away where m is large. -inf and 0 where there is no key.
  weft_view normalizer;

  // Needed by backward; dout by the gradient of the bias too.
  weft_view dout;  // [B, N, T, E]  in, required
  weft_view dq;    // as q          out, required
  weft_view dk;    // as k          out, required
  weft_view dv;    // as v          out, required
  // Contiguous, each axis 1 or that of [B, N, T, S]: summed over the axes along which the bias was broadcast.
  weft_view dbias;    // accumulated, required by the gradient of the bias
  weft_view weights;  // [B, N, T, S], or [B, 1, T, S] their mean over the heads; contiguous, out

  void* workspace;  // scratch
  size_t workspace_bytes;
} weft_sdpa;
WEFT_DEFINE_INIT(weft_sdpa)

// Fills in forward, backward, weights. Needs what every function needs.
WEFT_API weft_status weft_sdpa_sizes(const weft_sdpa* call, weft_sizes* sizes);
WEFT_API weft_status weft_sdpa_forward(const weft_sdpa* call);
WEFT_API weft_status weft_sdpa_backward(const weft_sdpa* call);
// dbias += the gradient of the scores.
WEFT_API weft_status weft_sdpa_bias_gradient(const weft_sdpa* call);
// The weights themselves, after dropout; needs normalizer.
WEFT_API weft_status weft_sdpa_weights(const weft_sdpa* call);

// ---------------------------------------------------------------------------------------------------------
// y = x W^T + b       dx = dy W       dweight += dy^T x       dbias += the sum of dy over rows
typedef struct weft_linear {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  weft_view x;       // [R, I]  in, required
  weft_view weight;  // [O, I]  in, required
  weft_view bias;    // [O]     in
  weft_view y;       // [R, O]  out, required by forward
  // Needed by backward, with x and weight.
  weft_view dy;       // [R, O]  in, required
  weft_view dx;       // [R, I]  out
  weft_view dweight;  // [O, I]  accumulated
  weft_view dbias;    // [O]     accumulated
  void* workspace;    // scratch
  size_t workspace_bytes;
} weft_linear;
WEFT_DEFINE_INIT(weft_linear)

// Fills in forward, backward. Needs the shape of weight.
WEFT_API weft_status weft_linear_sizes(const weft_linear* call, weft_sizes* sizes);
WEFT_API weft_status weft_linear_forward(const weft_linear* call);
WEFT_API weft_status weft_linear_backward(const weft_linear* call);

// ---------------------------------------------------------------------------------------------------------
// y[r] = weight[indices[r]]       dweight[indices[r]] += dy[r] for every r in order
typedef struct weft_embedding {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  int32_t padded;  // 1: rows whose index is padding_index add nothing to dweight
  int32_t reserved;
  int64_t padding_index;
  weft_view indices;  // [R]     in, int64, each in [0, V); required
  weft_view weight;   // [V, D]  in, required by forward
  weft_view y;        // [R, D]  out, required by forward
  weft_view dy;       // [R, D]  in, required by backward
  weft_view dweight;  // [V, D]  accumulated, required by backward
} weft_embedding;
WEFT_DEFINE_INIT(weft_embedding)

WEFT_API weft_status weft_embedding_forward(const weft_embedding* call);
WEFT_API weft_status weft_embedding_backward(const weft_embedding* call);

// ---------------------------------------------------------------------------------------------------------
// y = (x - mean) / sqrt(variance + eps) * weight + bias, with the mean and the (biased) variance of each row
typedef struct weft_layer_norm {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  double eps;        // at least 0; PyTorch's is 1e-5
  weft_view x;       // [R, D]  in, required
  weft_view weight;  // [D]     in
  weft_view bias;    // [D]     in
  weft_view y;       // [R, D]  out, required by forward
  // Out of forward, in of backward, required; mean contiguous: the mean, and what it lost by rounding.
  weft_view mean;               // [R, 2]
  weft_view inverse_deviation;  // [R]     1 / sqrt(variance + eps)
  // Needed by backward, with x, weight, mean and inverse_deviation.
  weft_view dy;       // [R, D]  in, required
  weft_view dx;       // [R, D]  out
  weft_view dweight;  // [D]     accumulated
  weft_view dbias;    // [D]     accumulated
  void* workspace;    // scratch of backward
  size_t workspace_bytes;
} weft_layer_norm;
WEFT_DEFINE_INIT(weft_layer_norm)

// Fills in backward. Needs the shape of x.
WEFT_API weft_status weft_layer_norm_sizes(const weft_layer_norm* call, weft_sizes* sizes);
WEFT_API weft_status weft_layer_norm_forward(const weft_layer_norm* call);
WEFT_API weft_status weft_layer_norm_backward(const weft_layer_norm* call);

// ---------------------------------------------------------------------------------------------------------
// y = f(x)       dx = dy f'(x)
//
// relu max(x, 0);  gelu x Phi(x);  gelu_tanh x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2;
// silu x sigmoid(x)
enum { WEFT_RELU = 0, WEFT_GELU = 1, WEFT_GELU_TANH = 2, WEFT_SILU = 3, WEFT_SIGMOID = 4, WEFT_TANH = 5 };

typedef struct weft_activation {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  int32_t function;  // WEFT_RELU...
  int32_t reserved;
  weft_view x;   // [N]  in, required by forward, and by the backward of gelu, gelu_tanh, silu
  weft_view y;   // [N]  out of forward, required; in of the backward of relu, sigmoid, tanh
  weft_view dy;  // [N]  in, required by backward
  weft_view dx;  // [N]  out, required by backward
} weft_activation;
WEFT_DEFINE_INIT(weft_activation)

WEFT_API weft_status weft_activation_forward(const weft_activation* call);
WEFT_API weft_status weft_activation_backward(const weft_activation* call);

// ---------------------------------------------------------------------------------------------------------
// y = a sigmoid(a) b, with x = [a; b]: one half of the features is a gate for the other
typedef struct weft_swiglu {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  weft_view x;   // [R, 2 F]  in, required
  weft_view y;   // [R, F]    out, required by forward
  weft_view dy;  // [R, F]    in, required by backward
  weft_view dx;  // [R, 2 F]  out, required by backward: [da; db]
} weft_swiglu;
WEFT_DEFINE_INIT(weft_swiglu)

WEFT_API weft_status weft_swiglu_forward(const weft_swiglu* call);
WEFT_API weft_status weft_swiglu_backward(const weft_swiglu* call);

// ---------------------------------------------------------------------------------------------------------
// Rotary positions turn pairs of features: y_a = x_a cos - x_b sin, y_b = x_b cos + x_a sin; backward turns
// them back. Pair i of P is (a, b) = (2 i, 2 i + 1) if interleaved, else (i, i + P). Features from 2 P on
// stay as they are.
typedef struct weft_rotary {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  int32_t interleaved;
  int32_t reserved;
  weft_view cos, sin;  // [B, T, P] or [1, T, P]  in, required: of the angle of each pair at each step
  weft_view x;         // [B, N, T, D]  in, required by forward; 2 P <= D
  weft_view y;         // [B, N, T, D]  out, required by forward; it may be x itself
  weft_view dy;        // [B, N, T, D]  in, required by backward
  weft_view dx;        // [B, N, T, D]  out, required by backward; it may be dy itself
} weft_rotary;
WEFT_DEFINE_INIT(weft_rotary)

WEFT_API weft_status weft_rotary_forward(const weft_rotary* call);
WEFT_API weft_status weft_rotary_backward(const weft_rotary* call);

// ---------------------------------------------------------------------------------------------------------
// y_e = x_e / (1 - p) where element e is kept, else 0; backward does the same to dy. Element e is kept if
// word e % 4 of Philox 4x32-10's block (e / 4, offset) under the key `seed` is at least p 2^32.
typedef struct weft_dropout {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  double p;  // in [0, 1]; 1 drops everything
  uint64_t seed, offset;
  weft_view x;   // [N]  in, required by forward
  weft_view y;   // [N]  out, required by forward
  weft_view dy;  // [N]  in, required by backward
  weft_view dx;  // [N]  out, required by backward
} weft_dropout;
WEFT_DEFINE_INIT(weft_dropout)

WEFT_API weft_status weft_dropout_forward(const weft_dropout* call);
WEFT_API weft_status weft_dropout_backward(const weft_dropout* call);

// ---------------------------------------------------------------------------------------------------------
// Softmax cross-entropy, with q_r the smoothed one-hot of targets_r:
//
//   loss_r = -weight_r sum_v q_rv log softmax(logits_r)_v
//   dlogits_rv = scale dlosses_r weight_r (softmax(logits_r)_v - q_rv)
//
// Rows that are ignored or have weight zero are not read: NaN there reaches nothing.
typedef struct weft_cross_entropy {
  size_t struct_size;
  weft_dtype dtype;
  int32_t threads;
  int32_t ignore;  // 1: rows whose target is ignore_index count for nothing
  int32_t reserved;
  int64_t ignore_index;
  double label_smoothing;  // s in [0, 1]: the target distribution is (1 - s) one-hot + s uniform
  double scale;            // backward's, of all rows: 1 for the sum of the losses, 1 / weights for their mean
  weft_view logits;        // [R, V]  in, required
  weft_view targets;       // [R]     in, int64, each in [0, V) or ignored; required
  weft_view weight;        // [R]     in: all ones
  weft_view losses;        // [R]     out, required by forward; zero where ignored
  // [R, 2] contiguous, out of forward, in of backward, required there: the row's maximum and its sum of
  // exp(logit - maximum)
  weft_view normalizer;
  weft_view dlosses;  // [R]     in: all ones
  weft_view dlogits;  // [R, V]  out, required by backward
} weft_cross_entropy;
WEFT_DEFINE_INIT(weft_cross_entropy)

// loss and weight, each may be null: out, over all rows the sum of the losses, and of the weights of the rows
// that are not ignored. Their quotient is the mean loss.
WEFT_API weft_status weft_cross_entropy_forward(const weft_cross_entropy* call, double* loss, double* weight);
WEFT_API weft_status weft_cross_entropy_backward(const weft_cross_entropy* call);

// ---------------------------------------------------------------------------------------------------------
// Models that Python saved: loaded from their file, run over whole sequences, or stepped in real time.
//
//   weft_model* model;
//   weft_stream* stream;
//   if (weft_model_load("model.safetensors", &model) != WEFT_OK) return puts(weft_last_error());
//   if (weft_stream_new(model, 0, &stream) != WEFT_OK) return puts(weft_last_error());
//   weft_stream_step(stream, x, y);  // x [inputs] -> y [outputs], the state goes on inside
//
// A model never changes and may be used from any number of threads at once. It and the streams made of it
// share one set of weights, which lives as long as one of them does: they may be freed in any order. A stream
// belongs to one thread at a time.
typedef struct weft_model weft_model;
typedef struct weft_stream weft_stream;

typedef struct weft_model_info {
  size_t struct_size;
  weft_dtype dtype;      // of its weights, and so of x and y
  int32_t takes_tokens;  // 1: an embedding comes first, x are indices, not features
  int64_t inputs;        // features of x, or the size of the vocabulary
  int64_t outputs;       // features of y
  int64_t context;       // the most steps that it is made for, or 0: no limit
  const char* obstacle;  // why it cannot be stepped (a layer reads the future), or ""; the model owns it
} weft_model_info;
WEFT_DEFINE_INIT(weft_model_info)

// Reads a .safetensors that weft's Python layers wrote. *model is null where that fails.
WEFT_API weft_status weft_model_load(const char* path, weft_model** model);
// The same from memory of so many bytes, which is not needed afterwards.
WEFT_API weft_status weft_model_parse(const void* file, size_t size, weft_model** model);
// Null is nothing to free.
WEFT_API void weft_model_free(weft_model* model);
WEFT_API weft_status weft_model_describe(const weft_model* model, weft_model_info* info);
// Names of the tensors in its file that it does not use, from index 0 on; null after the last one. The model
// owns them. As a rule there are none: a file that has some may be of another model than it says.
WEFT_API const char* weft_model_unused_tensor(const weft_model* model, int64_t index);

// y = model(x), from a state of zeros. This allocates.
typedef struct weft_run {
  size_t struct_size;
  int32_t threads;
  int32_t reserved;
  weft_view x;        // [B, T, inputs], or tokens [B, T], int64   in, required
  weft_view y;        // [B, T, outputs]  out, required; zero past a row's end
  weft_view lengths;  // [B]              in, int64: T; valid steps of each row, in 0..T
} weft_run;
WEFT_DEFINE_INIT(weft_run)
WEFT_API weft_status weft_model_run(const weft_model* model, const weft_run* call);

// A model in the middle of one sequence. capacity: steps that attention remembers, counted from the last
// reset; 0: the model's context (at most 65536 of it), or 1024. Models without attention and learned
// positions step for ever, whatever it is; so do those where all attention has a window that fits. *stream is
// null where that fails: a model that has an obstacle, or fewer learned positions, is an invalid argument.
// WEFT_OUT_OF_MEMORY, with the sizes in weft_last_error, where capacity is 0 and the memory would be more
// than 256 MiB and 16 times the weights: a small file may name a thousand layers and a context of millions,
// so that is the caller's to ask for.
WEFT_API weft_status weft_stream_new(const weft_model* model, int64_t capacity, weft_stream** stream);
// A second one in the same state.
WEFT_API weft_status weft_stream_copy(const weft_stream* stream, weft_stream** copy);
// Null is nothing to free.
WEFT_API void weft_stream_free(weft_stream* stream);

// From here on everything is real time: nothing allocates, locks or calls the system. Where a step is not
// WEFT_OK nothing was written, and the state is as it was. What does not end in _f64 is for models of
// float32, the others for those of float64: with the wrong one the status is WEFT_WRONG_INPUT.

// One step.
//   x or token  [inputs]   in
//   y           [outputs]  out; it may not overlap x
WEFT_API weft_status weft_stream_step(weft_stream* stream, const float* x, float* y);
WEFT_API weft_status weft_stream_step_f64(weft_stream* stream, const double* x, double* y);
WEFT_API weft_status weft_stream_step_token(weft_stream* stream, int64_t token, float* y);
WEFT_API weft_status weft_stream_step_token_f64(weft_stream* stream, int64_t token, double* y);

// n steps: x [n, inputs] or tokens [n], y [n, outputs]. All of them, or none where one would not be WEFT_OK.
WEFT_API weft_status weft_stream_process(weft_stream* stream, const float* x, float* y, int64_t n);
WEFT_API weft_status weft_stream_process_f64(weft_stream* stream, const double* x, double* y, int64_t n);
WEFT_API weft_status weft_stream_process_tokens(weft_stream* stream, const int64_t* tokens, float* y,
                                                int64_t n);
WEFT_API weft_status weft_stream_process_tokens_f64(weft_stream* stream, const int64_t* tokens, double* y,
                                                    int64_t n);

// Back to a state of zeros and no memory.
WEFT_API void weft_stream_reset(weft_stream* stream);
// Take over the state of another stream of the same model and capacity; WEFT_INVALID_ARGUMENT, with nothing
// done, if it is not one.
WEFT_API weft_status weft_stream_assign(weft_stream* stream, const weft_stream* other);

// Steps since the last reset; steps that it has room for, or 0: no limit; bytes of memory that is this
// stream's own.
WEFT_API int64_t weft_stream_position(const weft_stream* stream);
WEFT_API int64_t weft_stream_capacity(const weft_stream* stream);
WEFT_API size_t weft_stream_bytes(const weft_stream* stream);

#ifdef __cplusplus
}
#endif

#endif
