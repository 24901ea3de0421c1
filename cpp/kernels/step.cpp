// This instruction set's table of a step's kernels: the cells and linear layers have kernels of their own, of
// the rest a step is one row of what whole sequences use.

#include "attention.hpp"
#include "cells/list.hpp"
#include "isa.hpp"
#include "pointwise.hpp"
#include "step_cell.hpp"
#include "step_linear.hpp"

#define WEFT_STRINGIFY_(name) #name
#define WEFT_STRINGIFY(name) WEFT_STRINGIFY_(name)

namespace weft::WEFT_ISA {
namespace {

template <class T, class Cell>
constexpr StepCell<T> entry() {
  using Step = CellStep<T, Cell>;
  return {
      .name = Cell::name,
      .gates = Cell::gates,
      .extras = Cell::extras,
      .has_c = Cell::has_c,
      .takes_projection = Cell::takes_projection,
      .packed_size = [](const StepShape& shape) { return Step(shape).packed_size(); },
      .pack = [](const StepWeights<T>& weights, T* packed) { Step(weights.shape).pack(weights, packed); },
      .state_size = [](const StepShape& shape) { return Step(shape).state_size(); },
      .scratch_size = [](const StepShape& shape) { return Step(shape).scratch_size(); },
      .step = [](const StepShape& shape, const T* packed, const T* x, T* state,
                 T* scratch) { Step(shape).run(packed, x, state, scratch); },
  };
}

template <class T, class List>
struct Entries;
template <class T, class... Cell>
struct Entries<T, CellList<Cell...>> {
  static constexpr StepCell<T> cells[] = {entry<T, Cell>()...};
};

template <class T, void (*Forward)(int64_t, const T*, T*, int)>
void activation(int64_t size, const T* x, T* y) {
  Forward(size, x, y, 1);
}

template <class T>
void layer_norm(int64_t size, const T* x, const T* weight, const T* bias, T eps, T* y) {
  T mean, inverse_deviation;
  layer_norm_forward<T>({1, size, x, size, weight, bias, double(eps), y, size, &mean, &inverse_deviation}, 1);
}

template <class T>
constexpr StepKernels<T> kernels() {
  return {
      .cells = Entries<T, Cells>::cells,
      .count = Cells::count,
      .linear_packed_size = [](int64_t inputs,
                               int64_t outputs) { return StepLinear<T>{inputs, outputs}.packed_size(); },
      .pack_linear = [](int64_t inputs, int64_t outputs, const T* weight, const T* bias,
                        T* packed) { StepLinear<T>{inputs, outputs}.pack(weight, bias, packed); },
      .linear = [](int64_t inputs, int64_t outputs, const T* packed, const T* x,
                   T* y) { StepLinear<T>{inputs, outputs}.run(packed, x, y); },
      .layer_norm = &layer_norm<T>,
      .activation = {&activation<T, &relu_forward<T>>, &activation<T, &gelu_forward<T>>,
                     &activation<T, &gelu_tanh_forward<T>>, &activation<T, &silu_forward<T>>,
                     &activation<T, &sigmoid_forward<T>>, &activation<T, &tanh_forward<T>>},
      .swiglu = [](int64_t size, const T* x, T* y) { swiglu_forward<T>({1, size, x, 2 * size, y, size}, 1); },
      .attention_workspace = [](const Attention<T>& p) { return attention_forward_workspace<T>(p, 1); },
      .attention = [](const AttentionForward<T>& call) { attention_forward<T>(call, 1); },
  };
}

}  // namespace

extern const StepTable step_table;
constinit const StepTable step_table = {WEFT_STRINGIFY(WEFT_ISA), kernels<float>(), kernels<double>()};

}  // namespace weft::WEFT_ISA
