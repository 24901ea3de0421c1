// The recurrent family: validation, the plan of ragged batches, dispatch.
#include "weft/recurrent.hpp"

#include <algorithm>
#include <cstring>

#include "src/checks/checks.hpp"
#include "src/ops/sequence_plan.hpp"
#include "src/runtime/cost.hpp"
#include "src/runtime/dispatch.hpp"
#include "weft/config.hpp"

namespace weft {
namespace {

/// What `saved` and, in inference, the workspace begin with.
struct Header {
  const KernelTable* table;
  int64_t steps;
};
constexpr size_t header_bytes = 64;
static_assert(sizeof(Header) <= header_bytes);

template <class T>
const KernelTable& table_for(const RecurrentArguments<T>& a) {
  if (a.isa < 0) return current_table();
  if (a.isa >= isa_count() || !isa_is_available(a.isa))
    fail(a.operation, "isa must be the place of one that this machine has, got " + std::to_string(a.isa));
  return table_of(a.isa);
}

/// Where a cell stands among them all: the same place on every instruction set.
struct Cell {
  int place;
  const CellInfo& info;
};

template <class T>
Cell cell_of(const RecurrentArguments<T>& a) {
  if (a.cell == nullptr) fail(a.operation, "cell must not be null");
  const std::span<const CellInfo> cells = recurrent_cells();
  for (const CellInfo& info : cells)
    if (std::strcmp(a.cell, info.name) == 0) return {int(&info - cells.data()), info};
  std::string known;
  for (const CellInfo& info : cells) known += (known.empty() ? "" : ", ") + std::string(info.name);
  fail(a.operation, "cell must be one of " + known + ", got \"" + a.cell + "\"");
}

/// What the cells call their own weights: a cell without any was given another's.
std::string names_of_extras() {
  std::string all;
  for (const CellInfo& cell : recurrent_cells())
    if (cell.extra != nullptr && all.find(cell.extra) == std::string::npos)
      all += (all.empty() ? "" : " or ") + std::string(cell.extra);
  return all;
}

template <class T>
void check_arguments(const CellInfo& cell, const RecurrentArguments<T>& a) {
  const char* op = a.operation;
  const int64_t batch = a.x.shape[0], time = a.x.shape[1], input = a.x.shape[2];
  check_view(op, "x", a.x, "(B, T, I)", {batch, time, input});
  if (a.w_hh.shape[0] % cell.gates != 0)
    fail(op, "w_hh must have " + std::to_string(cell.gates) + "H rows, a multiple of " +
                 std::to_string(cell.gates) + ", got shape " + shape_text(a.w_hh.shape.at, 2));
  // Their symbolic shapes are put together for an error only: a small call takes a microsecond or two.
  const auto check_gates = [&]<class X, int N>(const char* argument, const View<X, N>& view,
                                               const char* behind, const Axes<N>& shape) {
    if (is_like(view, shape)) return;
    const std::string gates = cell.gates == 1 ? "" : std::to_string(cell.gates);
    const std::string symbolic = std::string("(").append(gates).append(behind);
    check_view(op, argument, view, symbolic.c_str(), shape);
  };
  const int64_t rows = a.w_hh.shape[0], hidden = rows / cell.gates;
  const int64_t state = a.w_proj ? a.w_proj.shape[0] : hidden;
  if (a.w_proj) {
    if (!cell.takes_projection) fail(op, std::string("cell ") + cell.name + " takes no w_proj");
    check_view(op, "w_proj", a.w_proj, "(P, H)", {state, hidden});
  }
  check_gates("w_hh", a.w_hh, a.w_proj ? "H, P)" : "H, H)", Axes<2>{rows, state});
  check_gates("w_ih", a.w_ih, "H, I)", Axes<2>{rows, input});
  if (hidden == 0)
    fail(op, "w_hh must have at least one hidden unit, got shape " + shape_text(a.w_hh.shape.at, 2));
  if (a.b_ih) check_gates("b_ih", a.b_ih, "H,)", Axes<1>{rows});
  if (a.b_hh) check_gates("b_hh", a.b_hh, "H,)", Axes<1>{rows});
  if (cell.extras == 0 && a.extra)
    fail(op, std::string("cell ") + cell.name + " takes no " + names_of_extras());
  if (cell.extras > 0) {
    const std::string extra = "(" + std::to_string(cell.extras) + ", H)";
    if (!a.extra) fail(op, std::string("cell ") + cell.name + " needs " + cell.extra + " " + extra);
    check_view(op, cell.extra, a.extra, extra.c_str(), {int64_t(cell.extras), hidden});
  }
  if (a.h0) check_view(op, "h0", a.h0, a.w_proj ? "(B, P)" : "(B, H)", {batch, state});
  if (a.c0) {
    if (!cell.has_c) fail(op, std::string("cell ") + cell.name + " has no c0");
    check_view(op, "c0", a.c0, "(B, H)", {batch, hidden});
  }
  if (a.lengths) {
    check_view(op, "lengths", a.lengths, "(B,)", {batch});
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t length = a.lengths.data[b * a.lengths.stride[0]];
      if (length < 0 || length > time)
        fail(op, "lengths must be in 0..T = 0.." + std::to_string(time) + ", got lengths[" +
                     std::to_string(b) + "] = " + std::to_string(length));
    }
  }
  if (a.resets) check_view(op, "resets", a.resets, "(B, T)", {batch, time});
  const char* per_step = a.w_proj ? "(B, T, P)" : "(B, T, H)";
  if (a.recurrent_dropout_mask)
    check_view(op, "recurrent_dropout_mask", a.recurrent_dropout_mask, per_step, {batch, time, state});
  if (a.zoneout_mask) check_view(op, "zoneout_mask", a.zoneout_mask, per_step, {batch, time, state});
  if (a.threads < 0) fail(op, "threads must be at least 0, got " + std::to_string(a.threads));
  if (a.checkpoint_every < 0)
    fail(op, "checkpoint_every must be at least 1, got " + std::to_string(a.checkpoint_every));
  // Everything that is allocated is a sum of a few dozen products of this size; the padding to vectors is in
  // the 64s. Steps that no row has take no memory.
  const int64_t steps = Plan<T>::steps(a);
  const int64_t row_steps =
      checked_product(op, "B T", checked_sum(op, "B", batch, 64), checked_sum(op, "T", steps, 64));
  const int64_t units = checked_product(op, "G H", checked_sum(op, "H", hidden, 64), 4 * cell.gates + 8);
  const int64_t widest =
      checked_sum(op, "H + I", checked_sum(op, "H + P", units, checked_sum(op, "P", state, 64)),
                  checked_sum(op, "I", input, 64));
  checked_product(op, "the memory for B T H", checked_product(op, "B T H", row_steps, widest), 64);
  checked_product(op, "the memory for H (H + I)", checked_product(op, "H (H + I)", units, widest), 64);
}

template <class T>
RecurrentProblem<T> problem_of(const Cell& cell, const RecurrentArguments<T>& a, const SequencePlan& plan) {
  return {.arguments = &a,
          .cell = cell.place,
          .threads = most_threads(a.threads),
          .plan = plan,
          .time = a.x.shape[1],
          .batch = a.x.shape[0],
          .input = a.x.shape[2],
          .hidden = a.w_hh.shape[0] / cell.info.gates,
          .state = a.w_hh.shape[1]};
}

Header header_of(const void* saved) {
  Header header;
  std::memcpy(&header, saved, sizeof header);
  return header;
}
template <class T>
SequencePlan saved_plan(const void* saved, const RecurrentArguments<T>& a) {
  char* memory = static_cast<char*>(const_cast<void*>(saved)) + header_bytes;
  return Plan<T>::view(reinterpret_cast<int64_t*>(memory), a.x.shape[0], header_of(saved).steps);
}

/// How many jobs the kernels are given at once, each for a thread or more.
constexpr size_t most_together = 8;

template <class Call, class Body>
void for_each_few(std::span<const Call> calls, const Body& body) {
  const size_t few = std::min(most_together, size_t(num_threads()));
  for (size_t first = 0; first < calls.size(); first += few)
    body(calls.subspan(first, std::min(few, calls.size() - first)));
}

template <class T>
void check_call(const CellInfo& cell, const RecurrentForwardCall<T>& call) {
  const RecurrentArguments<T>& a = call.arguments;
  const RecurrentResults<T>& r = call.results;
  check_arguments(cell, a);
  const char* op = a.operation;
  const int64_t batch = a.x.shape[0], state = a.w_hh.shape[1], hidden = a.w_hh.shape[0] / cell.gates;
  check_view(op, "y", r.y, "(B, T, P)", {batch, a.x.shape[1], state});
  check_view(op, "h_n", r.h_n, "(B, P)", {batch, state});
  if (cell.has_c) check_view(op, "c_n", r.c_n, "(B, H)", {batch, hidden});
}

template <class T>
ForwardJob<T> job_of(const KernelTable& table, const Cell& cell, const RecurrentForwardCall<T>& call) {
  const RecurrentArguments<T>& a = call.arguments;
  const int64_t batch = a.x.shape[0], steps = Plan<T>::steps(a);
  const size_t prefix = header_bytes + Plan<T>::bytes(batch, steps);
  char* owner = static_cast<char*>(call.saved != nullptr ? call.saved : call.workspace);
  auto* plan = reinterpret_cast<int64_t*>(owner + header_bytes);
  Plan<T>::fill(plan, a, steps);
  const Header header{&table, steps};
  std::memcpy(owner, &header, sizeof header);
  return {problem_of(cell, a, Plan<T>::view(plan, batch, steps)), &call.results,
          call.saved != nullptr ? owner + prefix : nullptr, static_cast<char*>(call.workspace) + prefix};
}

template <class T>
void check_call(const CellInfo& cell, const RecurrentBackwardCall<T>& call) {
  const RecurrentArguments<T>& a = call.arguments;
  const RecurrentGradientViews<T>& v = call.gradients;
  const char* op = a.operation;
  const int64_t batch = a.x.shape[0], time = a.x.shape[1], input = a.x.shape[2], rows = a.w_hh.shape[0];
  const int64_t state = a.w_hh.shape[1], hidden = rows / cell.gates;
  const char* per_step = a.w_proj ? "(B, T, P)" : "(B, T, H)";
  const char* per_row = a.w_proj ? "(B, P)" : "(B, H)";
  if (v.dy) check_view(op, "dy", v.dy, per_step, {batch, time, state});
  if (v.dh_n) check_view(op, "dh_n", v.dh_n, per_row, {batch, state});
  if (v.dc_n) check_view(op, "dc_n", v.dc_n, "(B, H)", {batch, hidden});
  if (v.dx) check_view(op, "dx", v.dx, "(B, T, I)", {batch, time, input});
  check_view(op, "dw_ih", v.dw_ih, "(G H, I)", {rows, input});
  check_view(op, "dw_hh", v.dw_hh, "(G H, P)", {rows, state});
  if (a.b_ih) check_view(op, "db_ih", v.db_ih, "(G H,)", {rows});
  if (a.b_hh) check_view(op, "db_hh", v.db_hh, "(G H,)", {rows});
  check_view(op, "dh0", v.dh0, per_row, {batch, state});
  if (cell.has_c) check_view(op, "dc0", v.dc0, "(B, H)", {batch, hidden});
  if (a.extra) {
    const std::string name = std::string("d") + cell.extra,
                      shape = "(" + std::to_string(cell.extras) + ", H)";
    check_view(op, name.c_str(), v.dextra, shape.c_str(), {int64_t(cell.extras), hidden});
  }
  if (a.w_proj) check_view(op, "dw_proj", v.dw_proj, "(P, H)", {state, hidden});
}

template <class T>
BackwardJob<T> job_of(const Cell& cell, const RecurrentBackwardCall<T>& call) {
  const RecurrentArguments<T>& a = call.arguments;
  const size_t prefix = header_bytes + Plan<T>::bytes(a.x.shape[0], header_of(call.saved).steps);
  return {problem_of(cell, a, saved_plan<T>(call.saved, a)), &call.gradients,
          static_cast<const char*>(call.saved) + prefix, call.workspace};
}

}  // namespace

std::span<const CellInfo> recurrent_cells() {
  const RecurrentKernels<float>& family = *table_of(0).f32.recurrent;
  return {family.cells, size_t(family.count)};
}

namespace {

/// Of the instruction set that the arguments name; else enough for any of this machine's, as largest_size
/// says.
template <class T>
RecurrentMemory memory_of(const RecurrentProblem<T>& problem, bool training) {
  const RecurrentArguments<T>& a = *problem.arguments;
  const auto memory = [&](const KernelTable& table) {
    return kernels<T>(table).recurrent->memory(problem, training);
  };
  if (a.isa >= 0) return memory(table_for(a));
  RecurrentMemory largest{};
  for (int isa = 0; isa < isa_count(); ++isa) {
    if (!isa_is_available(isa)) continue;
    const RecurrentMemory bytes = memory(table_of(isa));
    largest.saved = std::max(largest.saved, bytes.saved);
    largest.forward_workspace = std::max(largest.forward_workspace, bytes.forward_workspace);
    largest.backward_workspace = std::max(largest.backward_workspace, bytes.backward_workspace);
  }
  return largest;
}

}  // namespace

template <class T>
RecurrentSizes recurrent_sizes(const RecurrentArguments<T>& a, bool training) {
  const Cell cell = cell_of(a);
  table_for(a);  // refuses an instruction set that is not there
  check_arguments(cell.info, a);
  const int64_t batch = a.x.shape[0], steps = Plan<T>::steps(a);
  const size_t plan_bytes = Plan<T>::bytes(batch, steps);
  std::vector<int64_t> memory(plan_bytes / 8);
  Plan<T>::fill(memory.data(), a, steps);
  const SequencePlan plan = Plan<T>::view(memory.data(), batch, steps);
  const RecurrentMemory largest = memory_of(problem_of(cell, a, plan), training);
  const size_t prefix = header_bytes + plan_bytes;
  return {training ? prefix + largest.saved : 0, prefix + largest.forward_workspace,
          largest.backward_workspace};
}

template <class T>
void recurrent_forward(std::span<const RecurrentForwardCall<T>> calls) {
  if (calls.empty()) return;
  const KernelTable& table = table_for(calls[0].arguments);
  for (const RecurrentForwardCall<T>& call : calls) check_call(cell_of(call.arguments).info, call);
  ForwardJob<T> jobs[most_together];
  for_each_few(calls, [&](std::span<const RecurrentForwardCall<T>> few) {
    for (size_t i = 0; i < few.size(); ++i) jobs[i] = job_of(table, cell_of(few[i].arguments), few[i]);
    kernels<T>(table).recurrent->forward(jobs, int(few.size()));
  });
}

template <class T>
size_t recurrent_backward_workspace(const RecurrentArguments<T>& a, const void* saved) {
  const RecurrentProblem<T> problem = problem_of(cell_of(a), a, saved_plan<T>(saved, a));
  return kernels<T>(*header_of(saved).table).recurrent->memory(problem, true).backward_workspace;
}

template <class T>
void recurrent_backward(std::span<const RecurrentBackwardCall<T>> calls) {
  for (const RecurrentBackwardCall<T>& call : calls) check_call(cell_of(call.arguments).info, call);
  BackwardJob<T> jobs[most_together];
  for_each_few(calls, [&](std::span<const RecurrentBackwardCall<T>> few) {
    for (size_t i = 0; i < few.size(); ++i) jobs[i] = job_of(cell_of(few[i].arguments), few[i]);
    // Each on the instruction set that its forward was on; as a rule that is the same for all.
    size_t first = 0;
    for (size_t i = 1; i <= few.size(); ++i) {
      const KernelTable* table = header_of(few[first].saved).table;
      if (i < few.size() && header_of(few[i].saved).table == table) continue;
      kernels<T>(*table).recurrent->backward(jobs + first, int(i - first));
      first = i;
    }
  });
}

#define WEFT_INSTANTIATE(T)                                                                   \
  template RecurrentSizes recurrent_sizes<T>(const RecurrentArguments<T>&, bool);             \
  template size_t recurrent_backward_workspace<T>(const RecurrentArguments<T>&, const void*); \
  template void recurrent_forward<T>(std::span<const RecurrentForwardCall<T>>);               \
  template void recurrent_backward<T>(std::span<const RecurrentBackwardCall<T>>);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft
