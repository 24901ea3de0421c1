// activation: a function of each feature alone.
//
//   y = kind(x)
#pragma once

#include "src/model/ops/operation.hpp"
#include "weft/pointwise.hpp"

namespace weft {

template <class T>
struct ActivationNode {
  static constexpr const char* name = "activation";
  Activation kind;

  static ActivationNode read(Entries<T>& entries) {
    static constexpr const char* kinds[] = {"relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"};
    static_assert(int(Activation::relu) == 0 && int(Activation::tanh) == 5, "the order of Activation");
    return {Activation(entries.choice("kind", kinds))};
  }

  int64_t expected_inputs(int64_t&) const { return 0; }
  int64_t check(int64_t inputs, const Place&, GraphCheck<T>&) const { return inputs; }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    Features<T> y = sequences.take(x.size);
    const int64_t count = sequences.rows() * x.size;
    activation_forward<T>(kind, {x.data.get(), {count}}, {y.data.get(), {count}}, sequences.batch.threads);
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    return program.append_rows(program.kernels.activation[int(kind)], x.size, x);
  }
};

}  // namespace weft
