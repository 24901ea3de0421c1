// The loss kernels: a table of them for cpp/src, and those of this instruction set. They take the arguments
// of weft/loss.hpp once they are checked, and the number of threads.
#pragma once

#include "weft/loss.hpp"

namespace weft {

template <class T>
struct LossKernels {
  CrossEntropyTotals (*cross_entropy_forward)(const CrossEntropyForward<T>&, int threads);
  void (*cross_entropy_backward)(const CrossEntropyBackward<T>&, int threads);
};

#ifdef WEFT_ISA
namespace WEFT_ISA {

template <class T>
CrossEntropyTotals cross_entropy_forward(const CrossEntropyForward<T>&, int threads);
template <class T>
void cross_entropy_backward(const CrossEntropyBackward<T>&, int threads);

template <class T>
inline constexpr LossKernels<T> loss_kernels = {
    .cross_entropy_forward = &cross_entropy_forward<T>,
    .cross_entropy_backward = &cross_entropy_backward<T>,
};

}  // namespace WEFT_ISA
#endif

}  // namespace weft
