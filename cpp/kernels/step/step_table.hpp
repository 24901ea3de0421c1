// One step of one sequence, for streaming: weights packed once per model, no team of threads, nothing that
// allocates. A table of its own, apart from that of whole sequences, so that a program that only steps links
// nothing else.
#pragma once

#include <cstdint>

#include "instruction_sets.hpp"
#include "weft/attention.hpp"
#include "weft/cell_info.hpp"

namespace weft {

/// I input, H hidden units, P state: H, or the rows of a projection.
struct StepShape {
  int64_t input, hidden, state;
};

/// Contiguous; null where a cell or a model has none.
template <class T>
struct StepWeights {
  StepShape shape;
  const T *w_ih, *w_hh;  // [G H, I], [G H, P]
  const T *b_ih, *b_hh;  // [G H]
  const T* extra;        // [E, H]
  const T* w_proj;       // [P, H] where P < H, else null
  T zoneout;             // h = zoneout h_prev + (1 - zoneout) h
};

/// A cell and its kernels. Sizes in elements; all memory is 64-byte aligned.
template <class T>
struct StepCell : CellInfo {
  int64_t (*packed_size)(const StepShape&);
  void (*pack)(const StepWeights<T>&, T* packed);
  int64_t (*state_size)(const StepShape&);  // all zeros is the initial state; its first P elements are h
  int64_t (*scratch_size)(const StepShape&);
  void (*step)(const StepShape&, const T* packed, const T* x, T* state, T* scratch);
};

template <class T>
struct StepKernels {
  const StepCell<T>* cells;
  int count;
  /// y = W x + b, of a weight [O, I] and a bias [O] or null; y has room for whole vectors.
  int64_t (*linear_packed_size)(int64_t inputs, int64_t outputs);
  void (*pack_linear)(int64_t inputs, int64_t outputs, const T* weight, const T* bias, T* packed);
  void (*linear)(int64_t inputs, int64_t outputs, const T* packed, const T* x, T* y);
  /// Of one row, as the kernels of these names are.
  void (*layer_norm)(int64_t size, const T* x, const T* weight, const T* bias, double eps, T* y);
  void (*activation[6])(int64_t size, const T* x, T* y);    // in the order of weft::Activation
  void (*swiglu)(int64_t size, const T* x, T* y);           // x [2 size]
  void (*add)(int64_t size, const T* a, const T* b, T* y);  // y = a + b; may be either
  /// x [N, D], where it lies; cos, sin [P].
  void (*rotary)(int64_t heads, int64_t size, int64_t pairs, bool interleaved, const T* cos, const T* sin,
                 T* x);
  int64_t (*attention_workspace)(const AttentionArguments<T>&);  // in bytes, for that many keys or fewer
  void (*attention)(const AttentionForward<T>&);
};

struct StepTable {
  const char* isa;
  StepKernels<float> f32;
  StepKernels<double> f64;
};

template <class T>
const StepKernels<T>& step_kernels(const StepTable& table);
template <>
inline const StepKernels<float>& step_kernels<float>(const StepTable& table) {
  return table.f32;
}
template <>
inline const StepKernels<double>& step_kernels<double>(const StepTable& table) {
  return table.f64;
}

#define WEFT_DECLARE_STEP(isa, ...)  \
  namespace isa {                    \
  extern const StepTable step_table; \
  }
WEFT_INSTRUCTION_SETS(WEFT_DECLARE_STEP)
#undef WEFT_DECLARE_STEP

}  // namespace weft
