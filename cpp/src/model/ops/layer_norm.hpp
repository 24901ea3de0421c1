// layer_norm: features of one step, normalised.
//
//   y = (x - mean) / sqrt(variance + eps) weight + bias          weight, bias [size] optional
#pragma once

#include "src/model/ops/operation.hpp"
#include "weft/pointwise.hpp"

namespace weft {

template <class T>
struct LayerNormNode {
  static constexpr const char* name = "layer_norm";
  int64_t size;
  double eps;
  Weight<T> weight, bias;

  static LayerNormNode read(Entries<T>& entries) {
    return {entries.integer("size", 1, most_features),
            entries.number("eps", "at least 0", [](double value) { return value >= 0; }),
            entries.optional_weight("weight"), entries.optional_weight("bias")};
  }

  int64_t expected_inputs(int64_t& halved) const { return halved * size; }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>&) const {
    check_size(size, inputs, at);
    at.expect("weight", weight, "(size,)", {inputs});
    at.expect("bias", bias, "(size,)", {inputs});
    return inputs;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    const int64_t rows = sequences.rows();
    Features<T> y = sequences.take(x.size), mean = sequences.take(2), inverse_deviation = sequences.take(1);
    layer_norm_forward<T>(sequences.matrix(x), view_of<1>(weight), view_of<1>(bias), eps, sequences.matrix(y),
                          {mean.data.get(), {rows, 2}}, {inverse_deviation.data.get(), {rows}},
                          sequences.batch.threads);
    sequences.give_back(std::move(mean));
    sequences.give_back(std::move(inverse_deviation));
    return y;
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const Value y = program.take(size);
    program.append([layer_norm = program.kernels.layer_norm, weight = program.keep(weight),
                    bias = program.keep(bias), eps = eps, x, y](const Frame<T>& f) {
      layer_norm(y.size, f.read(x.place), weight, bias, eps, f.memory + y.place);
    });
    return y;
  }
};

}  // namespace weft
