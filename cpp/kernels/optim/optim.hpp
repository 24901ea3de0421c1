// The optimizers' kernels: a table of them for cpp/src, and those of this instruction set. They take the
// arguments of weft/updates.hpp once they are checked, and the number of threads.
#pragma once

#include "weft/updates.hpp"

namespace weft {

template <class T>
struct OptimKernels {
  void (*sgd_update)(const SgdUpdate<T>&, int threads);
  void (*adam_update)(const AdamUpdate<T>&, int threads);
  void (*rmsprop_update)(const RmspropUpdate<T>&, int threads);
  void (*adagrad_update)(const AdagradUpdate<T>&, int threads);
  size_t (*sum_of_squares_workspace)(int64_t size);
  double (*sum_of_squares)(const SumOfSquares<T>&, int threads);
  void (*scale)(const Scale<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
void sgd_update(const SgdUpdate<T>&, int threads);
template <class T>
void adam_update(const AdamUpdate<T>&, int threads);
template <class T>
void rmsprop_update(const RmspropUpdate<T>&, int threads);
template <class T>
void adagrad_update(const AdagradUpdate<T>&, int threads);
template <class T>
size_t sum_of_squares_workspace(int64_t size);
template <class T>
double sum_of_squares(const SumOfSquares<T>&, int threads);
template <class T>
void scale(const Scale<T>&, int threads);

template <class T>
inline constexpr OptimKernels<T> optim_kernels = {
    .sgd_update = &sgd_update<T>,
    .adam_update = &adam_update<T>,
    .rmsprop_update = &rmsprop_update<T>,
    .adagrad_update = &adagrad_update<T>,
    .sum_of_squares_workspace = &sum_of_squares_workspace<T>,
    .sum_of_squares = &sum_of_squares<T>,
    .scale = &scale<T>,
};

}  // namespace WEFT_ISA
#endif

}  // namespace weft
