// weftnn._core.recurrent_forward / recurrent_backward.
#include "weft/recurrent.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>

#include "arrays.hpp"
#include "long_call.hpp"
#include "memory.hpp"
#include "new_array.hpp"
#include "places.hpp"
#include "weft/config.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// RecurrentCall, RecurrentResults, what a backward call may add to, RecurrentGrads.
constexpr const char* argument_names[] = {"operation",
                                          "cell",
                                          "x",
                                          "w_ih",
                                          "w_hh",
                                          "b_ih",
                                          "b_hh",
                                          "w_peephole",
                                          "w_proj",
                                          "h0",
                                          "c0",
                                          "lengths",
                                          "resets",
                                          "recurrent_dropout_mask",
                                          "zoneout_mask",
                                          "reverse",
                                          "checkpoint_every",
                                          "training"};
constexpr const char* result_names[] = {"y", "h_n", "c_n", "saved"};
constexpr const char* accumulated_names[] = {"dw_ih", "dw_hh", "db_ih", "db_hh", "dw_peephole", "dw_proj"};
constexpr const char* gradient_names[] = {"dx",  "dw_ih", "dw_hh",       "db_ih",  "db_hh",
                                          "dh0", "dc0",   "dw_peephole", "dw_proj"};
using Argument = Place<argument_names>;
using Result = Place<result_names>;
using Accumulated = Place<accumulated_names>;
using Gradient = Place<gradient_names>;

py::object argument(const py::tuple& given, Argument place) {
  return py::reinterpret_borrow<py::object>(given[place.index]);
}

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
  std::array<py::object, std::size(argument_names)> keep;
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

  Forward(const py::tuple& given, int threads) {
    const auto operation = argument(given, "operation").cast<std::string>();
    saved->forward_name = operation + "_forward";
    saved->backward_name = operation + "_backward";
    saved->operation = operation;
    const auto cell = argument(given, "cell").cast<std::string>();
    const char* op = saved->forward_name.c_str();
    RecurrentArguments<T>& a = saved->arguments;
    const auto read = [&]<class X, int N>(Argument place, View<const X, N>& view) {
      view = input<X, N>(op, place.name, argument(given, place), saved->keep[place.index]);
    };
    const auto read_mask = [&](Argument place, View<const T, 3>& view) {
      view = mask<T>(op, place.name, argument(given, place), saved->keep[place.index], a.x.shape[1]);
    };
    a.operation = op;
    a.cell = cell.c_str();
    read("x", a.x);
    read("w_ih", a.w_ih);
    read("w_hh", a.w_hh);
    read("b_ih", a.b_ih);
    read("b_hh", a.b_hh);
    read("w_peephole", a.extra);
    read("w_proj", a.w_proj);
    read("h0", a.h0);
    read("c0", a.c0);
    read("lengths", a.lengths);
    read("resets", a.resets);
    read_mask("recurrent_dropout_mask", a.recurrent_dropout_mask);
    read_mask("zoneout_mask", a.zoneout_mask);
    a.reverse = is_true(argument(given, "reverse"));
    const py::object every = argument(given, "checkpoint_every");
    a.checkpoint_every = every.is_none() ? 0 : every.cast<int64_t>();
    training = is_true(argument(given, "training"));
    a.threads = threads;
    a.isa = isa_place();

    sizes = recurrent_sizes(a, training);  // refuses unknown cells
    saved->cell = find_cell(cell);
    a.cell = saved->cell->name;
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
    py::tuple all(std::size(result_names));
    all[Result("y").index] = y;
    all[Result("h_n").index] = h_n;
    all[Result("c_n").index] = c_n;
    all[Result("saved").index] =
        training ? py::cast(std::unique_ptr<SavedBase>(std::move(saved))) : py::object(py::none());
    return all;
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
    dw_ih = weight(accumulate, "dw_ih", a.w_ih, v.dw_ih);
    dw_hh = weight(accumulate, "dw_hh", a.w_hh, v.dw_hh);
    db_ih = weight(accumulate, "db_ih", a.b_ih, v.db_ih);
    db_hh = weight(accumulate, "db_hh", a.b_hh, v.db_hh);
    dextra = weight(accumulate, "dw_peephole", a.extra, v.dextra);
    dw_proj = weight(accumulate, "dw_proj", a.w_proj, v.dw_proj);
  }

  const RecurrentBackwardCall<T>& prepared() {
    workspace = acquire(recurrent_backward_workspace(call.arguments, call.saved));
    call.workspace = workspace.get();
    return call;
  }

  py::tuple results() {
    py::tuple all(std::size(gradient_names));
    all[Gradient("dx").index] = dx;
    all[Gradient("dw_ih").index] = dw_ih;
    all[Gradient("dw_hh").index] = dw_hh;
    all[Gradient("db_ih").index] = db_ih;
    all[Gradient("db_hh").index] = db_hh;
    all[Gradient("dh0").index] = dh0;
    all[Gradient("dc0").index] = dc0;
    all[Gradient("dw_peephole").index] = dextra;
    all[Gradient("dw_proj").index] = dw_proj;
    return all;
  }

 private:
  /// The caller's array to add to, or a new one of zeros; None where there was no weight.
  template <int N>
  py::object weight(const py::tuple& accumulate, Accumulated place, const View<const T, N>& of,
                    View<T, N>& view) const {
    const char* op = saved.backward_name.c_str();
    py::object result = py::none();
    if (!of) return result;
    if (place.index < accumulate.size()) result = accumulate[place.index];
    if (result.is_none()) {
      const NewArray<T, N> zeros(of.shape);
      std::fill_n(zeros.view.data, zeros.array.size(), T(0));
      view = zeros.view;
      return zeros.array;
    }
    if (!is_array_of<T>(result))
      throw py::type_error(std::string(op) + ": accumulate." + place.name + " must be an array of " +
                           std::string(py::str(py::dtype::of<T>())));
    view = output<T, N>(op, place.name, result);
    return result;
  }
};

/// Calls of one cell, side by side.
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
    recurrent_forward<T>(calls);
  });
  py::list results;
  for (Forward<T>& one : pending) results.append(one.results());
  return results;
}

template <class T>
py::tuple forward(const py::tuple& given) {
  Forward<T> one(given, num_threads());
  long_call([&] { recurrent_forward<T>(one.prepared()); });
  return one.results();
}

template <class T>
py::tuple backward(const Saved<T>& saved, const py::object& dy, const py::object& dh_n,
                   const py::object& dc_n, bool need_dx, const py::tuple& accumulate) {
  Backward<T> one(saved, dy, dh_n, dc_n, need_dx, accumulate, num_threads());
  long_call([&] { recurrent_backward<T>(one.prepared()); });
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
    recurrent_backward<T>(calls);
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
  module.attr("recurrent_arguments") = tuple_of_names<argument_names>();
  module.attr("recurrent_results") = tuple_of_names<result_names>();
  module.attr("recurrent_accumulated") = tuple_of_names<accumulated_names>();
  module.attr("recurrent_gradients") = tuple_of_names<gradient_names>();
  module.def("recurrent_forward", [](const py::tuple& given) {
    const std::string op = argument(given, "operation").cast<std::string>() + "_forward";
    return by_dtype(op.c_str(), "x", argument(given, "x"), [&]<class T>(T) { return forward<T>(given); });
  });
  module.def("recurrent_forward_all", [](const py::list& calls) {
    if (calls.empty()) return py::list();
    const auto first = calls[0].cast<py::tuple>();
    const std::string op = argument(first, "operation").cast<std::string>() + "_forward";
    return by_dtype(op.c_str(), "x", argument(first, "x"), [&]<class T>(T) { return forward_all<T>(calls); });
  });
  module.def("recurrent_backward_all", [](const py::list& calls) {
    if (calls.empty()) return py::list();
    const auto* first = calls[0].cast<py::tuple>()[0].cast<const SavedBase*>();
    return dynamic_cast<const Saved<float>*>(first) ? backward_all<float>(calls)
                                                    : backward_all<double>(calls);
  });
}
