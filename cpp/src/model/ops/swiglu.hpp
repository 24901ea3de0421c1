// swiglu: one half of the features gates the other.
//
//   y = silu(a) b          x = [a; b]
#pragma once

#include "src/model/ops/operation.hpp"
#include "weft/pointwise.hpp"

namespace weft {

template <class T>
struct SwigluNode {
  static constexpr const char* name = "swiglu";

  static SwigluNode read(Entries<T>&) { return {}; }

  int64_t expected_inputs(int64_t& halved) const {
    if (halved < (int64_t(1) << 20)) halved *= 2;  // features of a tensor are below 2^40
    return 0;
  }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>&) const {
    if (inputs % 2 != 0)
      at.refuse("it takes an even number of features, but " + std::to_string(inputs) + " come in");
    return inputs / 2;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    Features<T> y = sequences.take(x.size / 2);
    swiglu_forward<T>(
        {.x = sequences.matrix(x), .y = sequences.matrix(y), .threads = sequences.batch.threads});
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    return program.append_rows(program.kernels.swiglu, x.size / 2, x);
  }
};

}  // namespace weft
