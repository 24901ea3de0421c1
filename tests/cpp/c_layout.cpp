// The layout of every struct of weft.h, where pointers and sizes have 64 bits. It is part of what programs
// are compiled against: fields are added at the end only, and nothing here is ever changed.
#include "weft/weft.h"

#define SIZE(type, size) static_assert(sizeof(type) == (size))
#define FIELD(type, field, offset) static_assert(offsetof(type, field) == (offset))

#if INTPTR_MAX == INT64_MAX

FIELD(weft_view, data, 0);
FIELD(weft_view, shape, 8);
FIELD(weft_view, stride, 40);
SIZE(weft_view, 72);

FIELD(weft_sizes, struct_size, 0);
FIELD(weft_sizes, saved, 8);
FIELD(weft_sizes, forward, 16);
FIELD(weft_sizes, backward, 24);
FIELD(weft_sizes, weights, 32);
SIZE(weft_sizes, 40);

FIELD(weft_recurrent, struct_size, 0);
FIELD(weft_recurrent, cell, 8);
FIELD(weft_recurrent, dtype, 16);
FIELD(weft_recurrent, threads, 20);
FIELD(weft_recurrent, training, 24);
FIELD(weft_recurrent, reverse, 28);
FIELD(weft_recurrent, checkpoint_every, 32);
FIELD(weft_recurrent, x, 40);
FIELD(weft_recurrent, w_ih, 112);
FIELD(weft_recurrent, w_hh, 184);
FIELD(weft_recurrent, b_ih, 256);
FIELD(weft_recurrent, b_hh, 328);
FIELD(weft_recurrent, w_peephole, 400);
FIELD(weft_recurrent, w_proj, 472);
FIELD(weft_recurrent, h0, 544);
FIELD(weft_recurrent, c0, 616);
FIELD(weft_recurrent, lengths, 688);
FIELD(weft_recurrent, resets, 760);
FIELD(weft_recurrent, recurrent_dropout_mask, 832);
FIELD(weft_recurrent, zoneout_mask, 904);
FIELD(weft_recurrent, y, 976);
FIELD(weft_recurrent, h_n, 1048);
FIELD(weft_recurrent, c_n, 1120);
FIELD(weft_recurrent, dy, 1192);
FIELD(weft_recurrent, dh_n, 1264);
FIELD(weft_recurrent, dc_n, 1336);
FIELD(weft_recurrent, dx, 1408);
FIELD(weft_recurrent, dw_ih, 1480);
FIELD(weft_recurrent, dw_hh, 1552);
FIELD(weft_recurrent, db_ih, 1624);
FIELD(weft_recurrent, db_hh, 1696);
FIELD(weft_recurrent, dw_peephole, 1768);
FIELD(weft_recurrent, dw_proj, 1840);
FIELD(weft_recurrent, dh0, 1912);
FIELD(weft_recurrent, dc0, 1984);
FIELD(weft_recurrent, saved, 2056);
FIELD(weft_recurrent, saved_bytes, 2064);
FIELD(weft_recurrent, workspace, 2072);
FIELD(weft_recurrent, workspace_bytes, 2080);
SIZE(weft_recurrent, 2088);

FIELD(weft_sdpa, struct_size, 0);
FIELD(weft_sdpa, dtype, 8);
FIELD(weft_sdpa, threads, 12);
FIELD(weft_sdpa, windowed, 16);
FIELD(weft_sdpa, from_end, 20);
FIELD(weft_sdpa, left, 24);
FIELD(weft_sdpa, right, 32);
FIELD(weft_sdpa, scale, 40);
FIELD(weft_sdpa, softcap, 48);
FIELD(weft_sdpa, dropout, 56);
FIELD(weft_sdpa, seed, 64);
FIELD(weft_sdpa, offset, 72);
FIELD(weft_sdpa, q, 80);
FIELD(weft_sdpa, k, 152);
FIELD(weft_sdpa, v, 224);
FIELD(weft_sdpa, mask, 296);
FIELD(weft_sdpa, float_mask, 368);
FIELD(weft_sdpa, bias, 440);
FIELD(weft_sdpa, kv_lengths, 512);
FIELD(weft_sdpa, out, 584);
FIELD(weft_sdpa, normalizer, 656);
FIELD(weft_sdpa, dout, 728);
FIELD(weft_sdpa, dq, 800);
FIELD(weft_sdpa, dk, 872);
FIELD(weft_sdpa, dv, 944);
FIELD(weft_sdpa, dbias, 1016);
FIELD(weft_sdpa, weights, 1088);
FIELD(weft_sdpa, workspace, 1160);
FIELD(weft_sdpa, workspace_bytes, 1168);
SIZE(weft_sdpa, 1176);

FIELD(weft_linear, struct_size, 0);
FIELD(weft_linear, dtype, 8);
FIELD(weft_linear, threads, 12);
FIELD(weft_linear, x, 16);
FIELD(weft_linear, weight, 88);
FIELD(weft_linear, bias, 160);
FIELD(weft_linear, y, 232);
FIELD(weft_linear, dy, 304);
FIELD(weft_linear, dx, 376);
FIELD(weft_linear, dweight, 448);
FIELD(weft_linear, dbias, 520);
FIELD(weft_linear, workspace, 592);
FIELD(weft_linear, workspace_bytes, 600);
SIZE(weft_linear, 608);

FIELD(weft_embedding, struct_size, 0);
FIELD(weft_embedding, dtype, 8);
FIELD(weft_embedding, threads, 12);
FIELD(weft_embedding, padded, 16);
FIELD(weft_embedding, reserved, 20);
FIELD(weft_embedding, padding_index, 24);
FIELD(weft_embedding, indices, 32);
FIELD(weft_embedding, weight, 104);
FIELD(weft_embedding, y, 176);
FIELD(weft_embedding, dy, 248);
FIELD(weft_embedding, dweight, 320);
SIZE(weft_embedding, 392);

FIELD(weft_layer_norm, struct_size, 0);
FIELD(weft_layer_norm, dtype, 8);
FIELD(weft_layer_norm, threads, 12);
FIELD(weft_layer_norm, eps, 16);
FIELD(weft_layer_norm, x, 24);
FIELD(weft_layer_norm, weight, 96);
FIELD(weft_layer_norm, bias, 168);
FIELD(weft_layer_norm, y, 240);
FIELD(weft_layer_norm, mean, 312);
FIELD(weft_layer_norm, inverse_deviation, 384);
FIELD(weft_layer_norm, dy, 456);
FIELD(weft_layer_norm, dx, 528);
FIELD(weft_layer_norm, dweight, 600);
FIELD(weft_layer_norm, dbias, 672);
FIELD(weft_layer_norm, workspace, 744);
FIELD(weft_layer_norm, workspace_bytes, 752);
SIZE(weft_layer_norm, 760);

FIELD(weft_activation, struct_size, 0);
FIELD(weft_activation, dtype, 8);
FIELD(weft_activation, threads, 12);
FIELD(weft_activation, function, 16);
FIELD(weft_activation, reserved, 20);
FIELD(weft_activation, x, 24);
FIELD(weft_activation, y, 96);
FIELD(weft_activation, dy, 168);
FIELD(weft_activation, dx, 240);
SIZE(weft_activation, 312);

FIELD(weft_swiglu, struct_size, 0);
FIELD(weft_swiglu, dtype, 8);
FIELD(weft_swiglu, threads, 12);
FIELD(weft_swiglu, x, 16);
FIELD(weft_swiglu, y, 88);
FIELD(weft_swiglu, dy, 160);
FIELD(weft_swiglu, dx, 232);
SIZE(weft_swiglu, 304);

FIELD(weft_rotary, struct_size, 0);
FIELD(weft_rotary, dtype, 8);
FIELD(weft_rotary, threads, 12);
FIELD(weft_rotary, interleaved, 16);
FIELD(weft_rotary, reserved, 20);
FIELD(weft_rotary, cos, 24);
FIELD(weft_rotary, sin, 96);
FIELD(weft_rotary, x, 168);
FIELD(weft_rotary, y, 240);
FIELD(weft_rotary, dy, 312);
FIELD(weft_rotary, dx, 384);
SIZE(weft_rotary, 456);

FIELD(weft_dropout, struct_size, 0);
FIELD(weft_dropout, dtype, 8);
FIELD(weft_dropout, threads, 12);
FIELD(weft_dropout, p, 16);
FIELD(weft_dropout, seed, 24);
FIELD(weft_dropout, offset, 32);
FIELD(weft_dropout, x, 40);
FIELD(weft_dropout, y, 112);
FIELD(weft_dropout, dy, 184);
FIELD(weft_dropout, dx, 256);
SIZE(weft_dropout, 328);

FIELD(weft_cross_entropy, struct_size, 0);
FIELD(weft_cross_entropy, dtype, 8);
FIELD(weft_cross_entropy, threads, 12);
FIELD(weft_cross_entropy, ignore, 16);
FIELD(weft_cross_entropy, reserved, 20);
FIELD(weft_cross_entropy, ignore_index, 24);
FIELD(weft_cross_entropy, label_smoothing, 32);
FIELD(weft_cross_entropy, scale, 40);
FIELD(weft_cross_entropy, logits, 48);
FIELD(weft_cross_entropy, targets, 120);
FIELD(weft_cross_entropy, weight, 192);
FIELD(weft_cross_entropy, losses, 264);
FIELD(weft_cross_entropy, normalizer, 336);
FIELD(weft_cross_entropy, dlosses, 408);
FIELD(weft_cross_entropy, dlogits, 480);
SIZE(weft_cross_entropy, 552);

FIELD(weft_model_info, struct_size, 0);
FIELD(weft_model_info, dtype, 8);
FIELD(weft_model_info, takes_tokens, 12);
FIELD(weft_model_info, inputs, 16);
FIELD(weft_model_info, outputs, 24);
FIELD(weft_model_info, context, 32);
FIELD(weft_model_info, obstacle, 40);
SIZE(weft_model_info, 48);

FIELD(weft_run, struct_size, 0);
FIELD(weft_run, threads, 8);
FIELD(weft_run, reserved, 12);
FIELD(weft_run, x, 16);
FIELD(weft_run, y, 88);
FIELD(weft_run, lengths, 160);
SIZE(weft_run, 232);

#endif
