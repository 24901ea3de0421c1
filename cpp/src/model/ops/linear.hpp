// linear: an affine map.
//
//   y = x W^T + b          weight W [O, I]   bias b [O] optional
#pragma once

#include "src/model/ops/operation.hpp"
#include "weft/dense.hpp"

namespace weft {

template <class T>
struct LinearNode {
  static constexpr const char* name = "linear";
  Weight<T> weight, bias;

  static LinearNode read(Entries<T>& entries) {
    return {entries.weight("weight"), entries.optional_weight("bias")};
  }

  int64_t expected_inputs(int64_t& halved) const { return halved * columns(weight); }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>&) const {
    const int64_t outputs = at.expect("weight", weight, "(O, I)", {Place::any, inputs})[0];
    at.expect("bias", bias, "(O,)", {outputs});
    return outputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    const int threads = sequences.batch.threads;
    Features<T> y = sequences.take(weight->shape[0]);
    const int64_t size = linear_forward_workspace<T>(x.size, y.size, threads);
    const AlignedArray<T> workspace = aligned_array<T>(size);
    linear_forward<T>(sequences.matrix(x), view_of<2>(weight), view_of<1>(bias), sequences.matrix(y),
                      {workspace.get(), {size}}, threads);
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const StepKernels<T>& kernels = program.kernels;
    const int64_t outputs = weight->shape[0];
    const auto pack = [&](T* to) {
      kernels.pack_linear(x.size, outputs, data_of(weight), data_of(bias), to);
    };
    const T* matrix =
        program.packed({weight.get(), bias.get()}, kernels.linear_packed_size(x.size, outputs), pack);
    const Value y = program.take(outputs);
    program.append([linear = kernels.linear, matrix, x, y](const Frame<T>& f) {
      linear(x.size, y.size, matrix, f.read(x.place), f.memory + y.place);
    });
    return y;
  }
};

}  // namespace weft
