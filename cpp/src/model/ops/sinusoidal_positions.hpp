// sinusoidal_positions: sines and cosines of the step, added.
//
//   y[t] = x[t] + p[t]          p[t, 2i] = sin(t base^(-2i/size))     p[t, 2i + 1] = cos of it
#pragma once

#include "src/model/ops/angles.hpp"
#include "src/model/ops/learned_positions.hpp"

namespace weft {

template <class T>
struct SinusoidalPositionsNode {
  static constexpr const char* name = "sinusoidal_positions";
  int64_t size;
  double base;

  static SinusoidalPositionsNode read(Entries<T>& entries) {
    return {entries.integer("size", 1, most_features), read_base(entries)};
  }

  int64_t expected_inputs(int64_t& halved) const { return halved * size; }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>&) const {
    check_size(size, inputs, at);
    return inputs;
  }

  // The last cosine of an odd number of features lies behind them.

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const {
    const int64_t time = sequences.batch.time;
    const std::vector<double> each = frequencies(base, (size + 1) / 2, size);
    const AlignedArray<T> table = aligned_array<T>(time * size + 1);
    for (int64_t t = 0; t < time; ++t) {
      T* row = table.get() + t * size;
      fill_angles(each, t, 2, row + 1, row);
    }
    return plus_places<T>(x, table.get(), sequences);
  }

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const int64_t row = program.once({name, {base, double(size)}}, size + 1, [&](int64_t place) {
      program.append([each = frequencies(base, (size + 1) / 2, size), place](const Frame<T>& f) {
        T* row = f.memory + place;
        fill_angles(each, f.position, 2, row + 1, row);
      });
    });
    const Value y = program.take(size);
    program.append([add = program.kernels.add, x, row, y](const Frame<T>& f) {
      add(y.size, f.read(x.place), f.memory + row, f.memory + y.place);
    });
    return y;
  }
};

}  // namespace weft
