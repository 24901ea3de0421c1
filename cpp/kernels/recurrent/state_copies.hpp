// One part's copies of states: from the caller's arrays into the driver's, to and from what is kept for
// backward, and back to the caller.
#pragma once

#include "kernels/recurrent/states.hpp"

namespace weft::WEFT_ISA {

template <class T>
struct StateCopies {
  const Geometry<T>& g;
  Worker worker;
  Range units = g.units(worker), columns = g.columns(worker);

  const RecurrentProblem<T>& p = g.problem;
  const RecurrentArguments<T>& a = g.arguments;

  /// The caller's initial states, into the first block.
  void start(const States<T>& states) const {
    const int64_t rows = p.plan.steps == 0 ? 0 : worker.rows(g.active(0));
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j];
      copy_or_zero(states.h + j * g.h_row, row_of(a.h0, b), columns, p.state);
      if (g.cell.has_c) copy_or_zero(states.c + j * g.c_row, row_of(a.c0, b), units, p.hidden);
    }
  }

  /// The states before a segment's first step, kept for backward.
  void keep(const States<T>& states, int64_t step, const Saved<T>& saved, int64_t segment) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), from = states.block(g, step) + j, to = segment * p.batch + j;
      copy_row(saved.h + to * g.h_row, states.h + from * g.h_row, columns);
      if (g.cell.has_c) copy_row(saved.c + to * g.c_row, states.c + from * g.c_row, units);
    }
  }
  /// The way back.
  void restore(const States<T>& states, int64_t step, const Saved<T>& saved, int64_t segment) const {
    for (int64_t i = 0, n = worker.rows(g.active(step)); i < n; ++i) {
      const int64_t j = worker.sorted(i), from = segment * p.batch + j;
      copy_row(states.h + j * g.h_row, saved.h + from * g.h_row, columns);
      if (g.cell.has_c) copy_row(states.c + j * g.c_row, saved.c + from * g.c_row, units);
    }
  }

  /// What a step leaves, to the caller: y, and the final states of rows that end here.
  void emit(const States<T>& states, int64_t step, int64_t rows, const RecurrentResults<T>& out) const {
    const int64_t after = states.block(g, step + 1);
    const Range valid{columns.begin, min_of(columns.end, p.state)};
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = worker.sorted(i);
      const T* h = states.h + (after + j) * g.h_row;
      copy_row(g.row_of(out.y, step, j), h, valid);
      if (step + 1 < p.plan.length[j]) continue;
      const int64_t b = p.plan.order[j];
      copy_row(row_of(out.h_n, b), h, valid);
      if (g.cell.has_c)
        copy_row(row_of(out.c_n, b), states.c + (after + j) * g.c_row,
                 {units.begin, min_of(units.end, p.hidden)});
    }
  }

  /// What no step writes: y past a row's end, and the final states of rows without a step. Of whole rows.
  void emit_padding(const RecurrentResults<T>& out) const {
    for (int64_t i = 0, n = worker.rows(p.batch); i < n; ++i) {
      const int64_t j = worker.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      for (int64_t t = length; t < p.time; ++t)
        zero_row(out.y.data + b * out.y.stride[0] + t * out.y.stride[1], {0, p.state});
      if (length > 0) continue;
      copy_or_zero(row_of(out.h_n, b), row_of(a.h0, b), {0, p.state}, p.state);
      if (g.cell.has_c) copy_or_zero(row_of(out.c_n, b), row_of(a.c0, b), {0, p.hidden}, p.hidden);
    }
  }
};

/// The state as it enters the recurrent product, under recurrent dropout.
template <class T>
inline void mask_row(T* to, const T* h_prev, const T* mask, Range columns, int64_t state) {
  for (int64_t k = columns.begin; k < columns.end; ++k) to[k] = k < state ? h_prev[k] * mask[k] : T(0);
}

}  // namespace weft::WEFT_ISA
