// What an instruction set offers: the one header that cpp/src and cpp/kernels share.
//
// The kernels neither validate, allocate, throw nor print. The caller has checked every size and brings the
// workspace.
#pragma once

#include "instruction_sets.hpp"
#include "kernels/attention/additive_scores.hpp"
#include "kernels/attention/attention.hpp"
#include "kernels/dense/dense.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/optim/optim.hpp"
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/recurrent/recurrent_table.hpp"

namespace weft {

template <class T>
struct Kernels {
  const RecurrentKernels<T>* recurrent;
  const DenseKernels<T>* dense;
  const PointwiseKernels<T>* pointwise;
  const LossKernels<T>* loss;
  const OptimKernels<T>* optim;
  const AttentionKernels<T>* attention;
  const AdditiveScoresKernels<T>* additive_scores;
};

/// All kernels of one instruction set.
struct KernelTable {
  Kernels<float> f32;
  Kernels<double> f64;
};

template <class T>
const Kernels<T>& kernels(const KernelTable& table);
template <>
inline const Kernels<float>& kernels<float>(const KernelTable& table) {
  return table.f32;
}
template <>
inline const Kernels<double>& kernels<double>(const KernelTable& table) {
  return table.f64;
}

// Each family's sources define its own part, in the namespace of every instruction set that has kernels for
// it.
#define WEFT_DECLARE_FAMILIES(isa, ...)                          \
  namespace isa {                                                \
  extern const RecurrentKernels<float> recurrent_f32;            \
  extern const RecurrentKernels<double> recurrent_f64;           \
  template <class T>                                             \
  extern const DenseKernels<T> dense_kernels;                    \
  template <class T>                                             \
  extern const PointwiseKernels<T> pointwise_kernels;            \
  template <class T>                                             \
  extern const LossKernels<T> loss_kernels;                      \
  template <class T>                                             \
  extern const OptimKernels<T> optim_kernels;                    \
  template <class T>                                             \
  extern const AttentionKernels<T> attention_kernels;            \
  template <class T>                                             \
  extern const AdditiveScoresKernels<T> additive_scores_kernels; \
  }
WEFT_INSTRUCTION_SETS(WEFT_DECLARE_FAMILIES)
#undef WEFT_DECLARE_FAMILIES

}  // namespace weft
