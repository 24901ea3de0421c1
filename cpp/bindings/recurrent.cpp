// weftnn._core.recurrent_forward / recurrent_backward.
#include "weft/recurrent.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "arrays.hpp"
#include "long_call.hpp"
#include "memory.hpp"
#include "new_array.hpp"
#include "weft/config.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// As Python's bool() has it.
bool is_true(const py::handle& object) {
  const int truth = PyObject_IsTrue(object.ptr());
  if (truth < 0) throw py::error_already_set();
  return truth != 0;
}

/// The cell of that name, or null.
const CellInfo* find_cell(const std::string& name) {
  for (const CellInfo& cell : recurrent_cells())
    if (cell.name == name) return &cell;
  return nullptr;
}

/// The arguments of a forward call, kept alive for its backward calls, and what it saved.
struct SavedBase {
  virtual ~SavedBase() = default;
  std::string operation;  ///< "lstm": which backward this is for
  size_t bytes = 0;
};

template <class T>
struct Saved final : SavedBase {
  std::string forward_name, backward_name;
  const CellInfo* cell = nullptr;
  std::array<py::object, 13> keep;
  RecurrentArguments<T> arguments;
  Memory memory;
};

/// Threads for each of several calls that run at once.
int share_of_threads(size_t calls) { return std::max(1, num_threads() / int(calls)); }

/// A mask [B, T, P], or [B, P] for all steps.
template <class T>
View<const T, 3> mask(const char* op, const char* name, const py::object& object, py::object& keep,
                      int64_t time) {
  if (object.is_none() || !py::isinstance<py::array>(object) ||
      py::reinterpret_borrow<py::array>(object).ndim() != 2)
    return input<T, 3>(op, name, object, keep);
  const auto view = input<T, 2>(op, name, object, keep);
  return {view.data, {view.shape[0], time, view.shape[1]}, {view.stride[0], 0, view.stride[1]}};
}

/// A forward call: its arguments are checked and its results allocated before it runs, without Python's lock.
template <class T>
struct Forward {
  std::unique_ptr<Saved<T>> saved = std::make_unique<Saved<T>>();
  bool training;
  RecurrentSizes sizes;
  RecurrentForwardCall<T> call{};
  py::object y, h_n, c_n = py::none();
  Memory workspace;

  /// `given`: operation, cell, then the arguments in the order in which they are taken here.
  Forward(const py::tuple& given, int threads) {
    const auto operation = given[0].cast<std::string>(), cell = given[1].cast<std::string>();
    saved->forward_name = operation + "_forward";
    saved->backward_name = operation + "_backward";
    saved->operation = operation;
    const char* op = saved->forward_name.c_str();
    RecurrentArguments<T>& a = saved->arguments;
    auto& keep = saved->keep;
    const auto object = [&](int i) { return py::reinterpret_borrow<py::object>(given[size_t(i)]); };
    a.operation = op;
    a.x = input<T, 3>(op, "x", object(2), keep[0]);
    a.w_ih = input<T, 2>(op, "w_ih", object(3), keep[1]);
    a.w_hh = input<T, 2>(op, "w_hh", object(4), keep[2]);
    a.b_ih = input<T, 1>(op, "b_ih", object(5), keep[3]);
    a.b_hh = input<T, 1>(op, "b_hh", object(6), keep[4]);
    a.extra = input<T, 2>(op, "w_peephole", object(7), keep[5]);
    a.w_proj = input<T, 2>(op, "w_proj", object(8), keep[6]);
    a.h0 = input<T, 2>(op, "h0", object(9), keep[7]);
    a.c0 = input<T, 2>(op, "c0", object(10), keep[8]);
    a.lengths = input<int64_t, 1>(op, "lengths", object(11), keep[9]);
    a.resets = input<bool, 2>(op, "resets", object(12), keep[10]);
    a.recurrent_dropout_mask = mask<T>(op, "recurrent_dropout_mask", object(13), keep[11], a.x.shape[1]);
    a.zoneout_mask = mask<T>(op, "zoneout_mask", object(14), keep[12], a.x.shape[1]);
    a.reverse = is_true(given[15]);
    a.checkpoint_every = given[16].is_none() ? 0 : given[16].cast<int64_t>();
    training = is_true(given[17]);
    a.threads = threads;
    a.isa = isa_place();

    sizes = recurrent_sizes(cell, a, training);  // refuses unknown cells
    saved->cell = find_cell(cell);
    saved->bytes = sizes.saved;
    const int64_t batch = a.x.shape[0], state = a.w_hh.shape[1];
    const NewArray<T, 3> new_y({batch, a.x.shape[1], state});
    const NewArray<T, 2> new_h({batch, state});
    call = {a, {new_y.view, new_h.view, {}}, nullptr, nullptr};
    y = new_y.array, h_n = new_h.array;
    if (saved->cell->has_c) {
      const NewArray<T, 2> fresh({batch, a.w_hh.shape[0] / saved->cell->gates});
      call.results.c_n = fresh.view;
      c_n = fresh.array;
    }
  }

  const RecurrentForwardCall<T>& prepared() {
    if (training) saved->memory = acquire(sizes.saved);
    workspace = acquire(sizes.forward_workspace);
    call.saved = saved->memory.get();
    call.workspace = workspace.get();
    return call;
  }

  py::tuple results() {
    if (!training) return py::make_tuple(y, h_n, c_n, py::none());
    return py::make_tuple(y, h_n, c_n, std::unique_ptr<SavedBase>(std::move(saved)));
  }
};

template <class T>
struct Backward {
  const Saved<T>& saved;
  RecurrentBackwardCall<T> call{};
  std::array<py::object, 3> given;
  py::object dx = py::none(), dw_ih, dw_hh, db_ih, db_hh, dh0, dc0 = py::none(), dextra, dw_proj;
  Memory workspace;

  Backward(const Saved<T>& kept, const py::object& dy, const py::object& dh_n, const py::object& dc_n,
           bool need_dx, const py::tuple& accumulate, int threads)
      : saved(kept) {
    const char* op = saved.backward_name.c_str();
    call.arguments = saved.arguments;
    call.saved = saved.memory.get();
    RecurrentArguments<T>& a = call.arguments;
    RecurrentGradientViews<T>& v = call.gradients;
    a.operation = op;
    a.threads = threads;
    v.dy = input<T, 3>(op, "dy", dy, given[0]);
    v.dh_n = input<T, 2>(op, "dh_n", dh_n, given[1]);
    v.dc_n = input<T, 2>(op, "dc_n", dc_n, given[2]);

    const NewArray<T, 2> new_dh0({a.x.shape[0], a.w_hh.shape[1]});
    v.dh0 = new_dh0.view;
    dh0 = new_dh0.array;
    if (need_dx) {
      const NewArray<T, 3> fresh(a.x.shape);
      v.dx = fresh.view;
      dx = fresh.array;
    }
    if (saved.cell->has_c) {
      const NewArray<T, 2> fresh({a.x.shape[0], a.w_hh.shape[0] / saved.cell->gates});
      v.dc0 = fresh.view;
      dc0 = fresh.array;
    }
    dw_ih = weight(accumulate, "dw_ih", 0, a.w_ih, v.dw_ih);
    dw_hh = weight(accumulate, "dw_hh", 1, a.w_hh, v.dw_hh);
    db_ih = weight(accumulate, "db_ih", 2, a.b_ih, v.db_ih);
    db_hh = weight(accumulate, "db_hh", 3, a.b_hh, v.db_hh);
    dextra = weight(accumulate, "dw_peephole", 4, a.extra, v.dextra);
    dw_proj = weight(accumulate, "dw_proj", 5, a.w_proj, v.dw_proj);
  }

  const RecurrentBackwardCall<T>& prepared() {
    workspace = acquire(recurrent_backward_workspace(saved.cell->name, call.arguments, call.saved));
    call.workspace = workspace.get();
    return call;
  }

  py::tuple results() { return py::make_tuple(dx, dw_ih, dw_hh, db_ih, db_hh, dh0, dc0, dextra, dw_proj); }

 private:
  /// The caller's array to add to, or a new one of zeros; None where there was no weight.
  template <int N>
  py::object weight(const py::tuple& accumulate, const char* name, int index, const View<const T, N>& of,
                    View<T, N>& view) const {
    const char* op = saved.backward_name.c_str();
    py::object result = py::none();
    if (!of) return result;
    if (index < int(accumulate.size())) result = accumulate[size_t(index)];
    if (result.is_none()) {
      const NewArray<T, N> zeros(of.shape);
      std::fill_n(zeros.view.data, zeros.array.size(), T(0));
      view = zeros.view;
      return zeros.array;
    }
    if (!is_array_of<T>(result))
      throw py::type_error(std::string(op) + ": accumulate." + name + " must be an array of " +
                           std::string(py::str(py::dtype::of<T>())));
    view = output<T, N>(op, name, result);
    return result;
  }
};

/// Calls of one cell, side by side. The first one says which.
template <class T>
py::list forward_all(const py::list& given) {
  const int threads = share_of_threads(given.size());
  std::vector<Forward<T>> pending;
  pending.reserve(given.size());
  for (const auto& arguments : given) pending.emplace_back(arguments.cast<py::tuple>(), threads);
  for (const Forward<T>& one : pending)
    if (one.saved->cell != pending[0].saved->cell)
      throw std::invalid_argument("recurrent_forward_all: all calls must be of one cell, got " +
                                  std::string(pending[0].saved->cell->name) + " and " +
                                  one.saved->cell->name);
  long_call([&] {
    std::vector<RecurrentForwardCall<T>> calls;
    for (Forward<T>& one : pending) calls.push_back(one.prepared());
    recurrent_forward<T>(pending[0].saved->cell->name, calls);
  });
  py::list results;
  for (Forward<T>& one : pending) results.append(one.results());
  return results;
}

template <class T>
py::tuple forward(const py::tuple& given) {
  Forward<T> one(given, num_threads());
  long_call([&] { recurrent_forward<T>(one.saved->cell->name, std::span(&one.prepared(), 1)); });
  return one.results();
}

template <class T>
py::tuple backward(const Saved<T>& saved, const py::object& dy, const py::object& dh_n,
                   const py::object& dc_n, bool need_dx, const py::tuple& accumulate) {
  Backward<T> one(saved, dy, dh_n, dc_n, need_dx, accumulate, num_threads());
  long_call([&] { recurrent_backward<T>(saved.cell->name, std::span(&one.prepared(), 1)); });
  return one.results();
}

/// Each: saved, dy, dh_n, dc_n, need_dx, accumulate.
template <class T>
py::list backward_all(const py::list& given) {
  const int threads = share_of_threads(given.size());
  std::vector<Backward<T>> pending;
  pending.reserve(given.size());
  for (const auto& item : given) {
    const auto g = item.cast<py::tuple>();
    const auto* saved = dynamic_cast<const Saved<T>*>(g[0].cast<const SavedBase*>());
    const auto* first = pending.empty() ? saved : &pending[0].saved;
    if (saved == nullptr || saved->cell != first->cell)
      throw std::invalid_argument("recurrent_backward_all: all calls must be of one cell and one dtype");
    pending.emplace_back(*saved, g[1], g[2], g[3], g[4].cast<bool>(), g[5].cast<py::tuple>(), threads);
  }
  long_call([&] {
    std::vector<RecurrentBackwardCall<T>> calls;
    for (Backward<T>& one : pending) calls.push_back(one.prepared());
    recurrent_backward<T>(pending[0].saved.cell->name, calls);
  });
  py::list results;
  for (Backward<T>& one : pending) results.append(one.results());
  return results;
}

}  // namespace

void register_recurrent(py::module_& module) {
  py::class_<SavedBase>(module, "RecurrentSaved",
                        "What a recurrent forward call keeps for its backward calls.")
      .def_readonly("operation", &SavedBase::operation)
      .def_readonly("nbytes", &SavedBase::bytes)
      .def("backward", [](const SavedBase& saved, const py::object& dy, const py::object& dh_n,
                          const py::object& dc_n, bool need_dx, const py::tuple& accumulate) {
        if (const auto* single = dynamic_cast<const Saved<float>*>(&saved))
          return backward(*single, dy, dh_n, dc_n, need_dx, accumulate);
        return backward(dynamic_cast<const Saved<double>&>(saved), dy, dh_n, dc_n, need_dx, accumulate);
      });
  module.def("recurrent_cells", [] {
    py::list cells;
    for (const CellInfo& cell : recurrent_cells()) cells.append(cell.name);
    return cells;
  });
  module.def("recurrent_forward", [](const py::tuple& given) {
    const std::string op = given[0].cast<std::string>() + "_forward";
    return by_dtype(op.c_str(), "x", given[2], [&]<class T>(T) { return forward<T>(given); });
  });
  module.def("recurrent_forward_all", [](const py::list& calls) {
    if (calls.empty()) return py::list();
    const auto first = calls[0].cast<py::tuple>();
    const std::string op = first[0].cast<std::string>() + "_forward";
    return by_dtype(op.c_str(), "x", first[2], [&]<class T>(T) { return forward_all<T>(calls); });
  });
  module.def("recurrent_backward_all", [](const py::list& calls) {
    if (calls.empty()) return py::list();
    const auto* first = calls[0].cast<py::tuple>()[0].cast<const SavedBase*>();
    return dynamic_cast<const Saved<float>*>(first) ? backward_all<float>(calls)
                                                    : backward_all<double>(calls);
  });
}
