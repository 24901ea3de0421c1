// Dropout with a mask that is a function of (seed, offset, element) alone.
//
//   y_e  = x_e  [word_e >= p 2^32] / (1 - p)
//   dx_e = dy_e [word_e >= p 2^32] / (1 - p)     the same function: backward draws the same words again
//
// What is dropped is zero, whatever x holds there. Srivastava et al., "Dropout", 2014; random words:
// philox.hpp.
#include "kernels/pointwise/pointwise.hpp"
#include "kernels/simd/philox.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

template <class T>
void keep(const uint32_t* words, uint32_t last_dropped, T scale, const T* __restrict x, T* __restrict y,
          int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T scaled = x[i] * scale;
    y[i] = words[i] > last_dropped ? scaled : T(0);
  }
}

}  // namespace

template <class T>
void dropout(const Dropout<T>& p, int threads) {
  // Compared as word > threshold - 1, since a threshold of 2^32 (p next to 1) is no 32-bit word.
  const uint32_t last_dropped = uint32_t(p.threshold - 1);
  const T scale = p.threshold == 0 ? T(1) : T(p.scale);
  parallel(threads, [&](int thread, int shares) {
    const Range range = share(p.size, thread, shares, philox_elements);
    uint32_t words[philox_elements];
    for (int64_t begin = range.begin; begin < range.end; begin += philox_elements) {
      const T* x = p.x + begin;
      T* y = p.y + begin;
      const int64_t count = min_of(philox_elements, range.end - begin);
      if (p.threshold == 0) {
        for (int64_t i = 0; i < count; ++i) y[i] = x[i];
        continue;
      }
      philox(p.seed, p.offset, uint64_t(begin) / 4, words);
      if (count == philox_elements)
        keep(words, last_dropped, scale, x, y, philox_elements);
      else
        keep(words, last_dropped, scale, x, y, count);
    }
  });
}

template void dropout(const Dropout<float>&, int);
template void dropout(const Dropout<double>&, int);

// The family, for dispatch; not in a file that a step links.
template const PointwiseKernels<float> pointwise_kernels<float>;
template const PointwiseKernels<double> pointwise_kernels<double>;

}  // namespace weft::WEFT_ISA
