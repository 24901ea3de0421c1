// A recurrent call through the C++ interface as a benchmark, checked before it is timed.
#pragma once

#include <benchmark/benchmark.h>

#include "rates.hpp"
#include "recurrent_call.hpp"
#include "recurrent_reference.hpp"

namespace weft::bench {

using test::Size;

inline constexpr test::Options plain{.name = "plain"};

/// At the same widths, on fewer rows and steps: outputs, and gradients along a direction.
inline void check_cell(const CellInfo& cell, const Size& size) {
  using namespace weft::test;
  const Problem p = make_problem(cell, plain, {2, 3, size.I, size.H});
  const Outcome<double> douts = make_douts(p), expected = reference(p, p.tensors);
  RecurrentCall<float> call(p, douts, {});
  call.forward();
  call.backward();
  check_close(call.out().y, expected.y, 2e-6, 1.0, p.cell + ": y");
  for (Tensor tensor : {X, W_HH}) {
    const auto direction = random_numbers<double>(int64_t(p.tensors[tensor].size()), 3);
    const auto gradient = call.gradients()[tensor];
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < direction.size(); ++i) {
      sum += double(gradient[i]) * direction[i];
      magnitude += std::abs(double(gradient[i]) * direction[i]);
    }
    check_close(std::vector<double>{sum}, std::vector<double>{derivative(p, douts, tensor, direction)}, 2e-6,
                magnitude, p.cell + ": d" + tensor_names[tensor]);
  }
}

inline void run_recurrent(benchmark::State& state, const std::string& isa, const CellInfo& cell,
                          const Size& size, bool training) {
  set_isa(isa);
  check_cell(cell, size);
  if (test::failures() != 0) return state.SkipWithError("the result is wrong");
  const test::Problem p = test::make_problem(cell, plain, size);
  test::RecurrentCall<float> call(p, make_douts(p), {});
  // Training has the products three times, and every array a second time as its gradient.
  const double T = double(p.T), B = double(p.B), I = double(p.I), H = double(p.H), G = double(p.gates);
  const double elements = T * B * (I + H) + G * H * (I + H + 2);
  const double operations = 2 * T * B * G * H * (I + H), bytes = elements * sizeof(float);
  if (!training) return run_loop<float>(state, isa, operations, bytes, [&] { call.infer(); });
  run_loop<float>(state, isa, 3 * operations, 2 * bytes, [&] {
    call.forward();
    call.backward();
  });
}

inline void register_recurrent(const std::string& isa, const CellInfo& cell, const Size& size, bool training,
                               benchmark::TimeUnit unit) {
  const std::string name = isa + (training ? "/train/" : "/infer/") + cell.name + "/" +
                           std::to_string(size.T) + "," + std::to_string(size.B) + "," +
                           std::to_string(size.I) + "," + std::to_string(size.H);
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    run_recurrent(state, isa, cell, size, training);
  })->Unit(unit);
}

}  // namespace weft::bench
