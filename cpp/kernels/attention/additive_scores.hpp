// The kernels of additive attention scores: a table of them for cpp/src, and those of this instruction set.
// They take the arguments of weft/additive_scores.hpp once they are checked, and the number of threads.
// Workspaces are bytes.
#pragma once

#include "weft/additive_scores.hpp"

namespace weft {

template <class T>
struct AdditiveScoresKernels {
  size_t (*backward_workspace)(int64_t batch, int64_t keys, int64_t size, int threads);
  void (*forward)(const AdditiveScoresForward<T>&, int threads);
  void (*backward)(const AdditiveScoresBackward<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
size_t additive_scores_backward_workspace(int64_t batch, int64_t keys, int64_t size, int threads);
template <class T>
void additive_scores_forward(const AdditiveScoresForward<T>&, int threads);
template <class T>
void additive_scores_backward(const AdditiveScoresBackward<T>&, int threads);

template <class T>
inline constexpr AdditiveScoresKernels<T> additive_scores_kernels = {
    .backward_workspace = &additive_scores_backward_workspace<T>,
    .forward = &additive_scores_forward<T>,
    .backward = &additive_scores_backward<T>,
};

}  // namespace WEFT_ISA
#endif

}  // namespace weft
