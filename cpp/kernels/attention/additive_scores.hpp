// The kernels of additive_scores.cpp for this instruction set.
#pragma once

#include "kernels/attention/additive_scores_table.hpp"

namespace weft::WEFT_ISA {

template <class T>
int64_t additive_scores_backward_workspace(int64_t batch, int64_t keys, int64_t size, int threads);
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

}  // namespace weft::WEFT_ISA
