// recurrent: the hidden state of a cell at every step, from a state of zeros.
//
//   h, c = cell(x, h', c')
//   h    = W_proj h                  where there is one
//   h    = z h' + (1 - z) h          with zoneout z
//   y    = h
//
//   w_ih [G H, I]   w_hh [G H, P]   b_ih, b_hh [G H] optional   w_proj [P, H] optional
//   extra [E, H] where the cell has such
//
// G gates, I inputs, H hidden units, P = H or the rows of w_proj. cell: a name of weftnn.ops.cells().
// zoneout: a number z in [0, 1), optional.
#pragma once

#include <bit>
#include <span>
#include <string_view>

#include "src/model/ops/operation.hpp"
#include "weft/recurrent.hpp"

namespace weft {

template <class T>
struct RecurrentNode {
  static constexpr const char* name = "recurrent";
  const char* cell = "";  // static
  Weight<T> w_ih, w_hh, b_ih, b_hh, extra, w_proj;
  double zoneout = 0;
  int64_t hidden = 0, state = 0;  // H and P, once checked

  static RecurrentNode read(Entries<T>& entries) {
    const StepKernels<T>& kernels = step_kernels<T>(baseline::step_table);
    std::vector<const char*> cells;
    for (int i = 0; i < kernels.count; ++i) cells.push_back(kernels.cells[i].name);
    RecurrentNode made;
    made.cell = cells[size_t(entries.choice("cell", cells))];
    made.w_ih = entries.weight("w_ih");
    made.w_hh = entries.weight("w_hh");
    made.b_ih = entries.optional_weight("b_ih");
    made.b_hh = entries.optional_weight("b_hh");
    made.extra = entries.optional_weight("extra");
    made.w_proj = entries.optional_weight("w_proj");
    if (entries.find("zoneout"))
      made.zoneout = entries.number("zoneout", "in [0, 1)", [](double p) { return p >= 0 && p < 1; });
    return made;
  }

  int64_t expected_inputs(int64_t& halved) const { return halved * columns(w_ih); }
  bool has_recurrent() const { return true; }
  int64_t check(int64_t inputs, const Place& at, GraphCheck<T>&) {
    const StepCell<T>& kernel = kernel_in(step_kernels<T>(baseline::step_table));
    const std::string g = kernel.gates == 1 ? "" : std::to_string(kernel.gates), name = cell;
    const int64_t rows = at.expect("w_ih", w_ih, "(" + g + "H, I)", {Place::any, inputs})[0];
    if (rows % kernel.gates != 0)
      at.refuse("w_ih must have " + g + "H rows, a multiple of " + g + ", got " + std::to_string(rows));
    hidden = rows / kernel.gates;
    if (w_proj && !kernel.takes_projection) at.refuse("cell " + name + " takes no w_proj");
    state = w_proj ? at.expect("w_proj", w_proj, "(P, H)", {Place::any, hidden})[0] : hidden;
    if (w_proj && state >= hidden)
      at.refuse("w_proj must have fewer rows than H = " + std::to_string(hidden) + ", got " +
                std::to_string(state));
    at.expect("w_hh", w_hh, "(" + g + (w_proj ? "H, P)" : "H, H)"), {rows, state});
    at.expect("b_ih", b_ih, "(" + g + "H,)", {rows});
    at.expect("b_hh", b_hh, "(" + g + "H,)", {rows});
    if ((kernel.extras > 0) != (extra != nullptr))
      at.refuse("cell " + name + (extra ? " takes no extra" : " must have extra"));
    at.expect("extra", extra, "(" + std::to_string(kernel.extras) + ", H)", {kernel.extras, hidden});
    return state;
  }

  Features<T> run(const Features<T>& x, SequenceRun<T>& sequences) const;

  Value step(const Value& x, ProgramBuilder<T>& program) const {
    const StepCell<T>* kernel = &kernel_in(program.kernels);
    const StepShape shape{x.size, hidden, state};
    const StepWeights<T> weights{shape,         data_of(w_ih),  data_of(w_hh),   data_of(b_ih),
                                 data_of(b_hh), data_of(extra), data_of(w_proj), T(zoneout)};
    const T* matrices =
        program.packed({cell, w_ih.get(), w_hh.get(), b_ih.get(), b_hh.get(), extra.get(), w_proj.get(),
                        reinterpret_cast<const void*>(std::bit_cast<uintptr_t>(zoneout))},
                       kernel->packed_size(shape), [&](T* to) { kernel->pack(weights, to); });
    const int64_t y = program.state(kernel->state_size(shape));  // it begins with h
    const Value scratch = program.take(kernel->scratch_size(shape));
    program.append([run = kernel->step, shape, matrices, x, y, scratch](const Frame<T>& f) {
      run(shape, matrices, f.read(x.place), f.memory + y, f.memory + scratch.place);
    });
    program.give_back(scratch);
    return {y, state, false};
  }

 private:
  /// It is there: the reader took its name from a table.
  const StepCell<T>& kernel_in(const StepKernels<T>& kernels) const {
    const StepCell<T>* kernel = kernels.cells;
    while (std::string_view(kernel->name) != cell) ++kernel;
    return *kernel;
  }
};

template <class T>
struct RecurrentDirection {
  const RecurrentNode<T>* op;
  View<T, 3> y;
  bool reverse;
};

/// Directions of one cell, side by side.
template <class T>
void run_cells(std::span<const RecurrentDirection<T>> directions, const Features<T>& x,
               const SequenceRun<T>& sequences) {
  const Batch& batch = sequences.batch;
  std::vector<RecurrentForwardCall<T>> calls;
  std::vector<AlignedArray<T>> memory;
  std::vector<AlignedArray<std::byte>> workspaces;
  const auto own = [&](int64_t size) {
    memory.push_back(aligned_array<T>(size));
    return memory.back().get();
  };
  for (const auto& [op, y, reverse] : directions) {
    RecurrentArguments<T> a;
    a.cell = op->cell;
    a.x = sequences.sequences(x);
    a.w_ih = view_of<2>(op->w_ih), a.w_hh = view_of<2>(op->w_hh);
    a.b_ih = view_of<1>(op->b_ih), a.b_hh = view_of<1>(op->b_hh);
    a.extra = view_of<2>(op->extra), a.w_proj = view_of<2>(op->w_proj);
    a.lengths = batch.lengths;
    if (op->zoneout > 0) {
      T* kept = own(op->state);
      std::fill_n(kept, op->state, T(op->zoneout));
      a.zoneout_mask = {kept, {batch.size, batch.time, op->state}, {0, 0, 1}};
    }
    a.reverse = reverse;
    a.threads = std::max(1, sequences.threads() / int(directions.size()));
    const size_t bytes = recurrent_sizes<T>(a, false).forward_workspace;
    workspaces.push_back(aligned_array<std::byte>(int64_t(bytes)));
    const auto own_state = [&](int64_t size) {
      const int64_t count = checked_product("run", "the size of a layer's state", batch.size, size);
      return View<T, 2>(own(count), {batch.size, size});
    };
    const View<T, 2> h_n = own_state(op->state), c_n = own_state(op->hidden);
    calls.push_back({a, {y, h_n, c_n}, nullptr, workspaces.back().get()});
  }
  recurrent_forward<T>(std::span<const RecurrentForwardCall<T>>(calls));
}

template <class T>
Features<T> RecurrentNode<T>::run(const Features<T>& x, SequenceRun<T>& sequences) const {
  Features<T> y = sequences.take(state);
  const RecurrentDirection<T> direction[] = {{this, sequences.sequences(y), false}};
  run_cells<T>(direction, x, sequences);
  return y;
}

}  // namespace weft
