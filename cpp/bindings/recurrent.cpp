// weft._core.recurrent_forward / recurrent_backward.
#include "weft/recurrent.hpp"

#include <algorithm>
#include <memory>

#include "arrays.hpp"
#include "memory.hpp"
#include "new_array.hpp"
#include "weft/config.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// The cell of that name, or null.
const RecurrentCellInfo* find_cell(const std::string& name) {
  static const std::vector<RecurrentCellInfo> cells = recurrent_cells();
  for (const RecurrentCellInfo& cell : cells)
    if (cell.name == name) return &cell;
  return nullptr;
}

/// The arguments of a forward call, kept alive for its backward calls, and what it saved.
struct SavedBase {
  virtual ~SavedBase() = default;
  virtual py::tuple backward(const py::object& dy, const py::object& dh_n, const py::object& dc_n,
                             bool need_dx, const py::tuple& accumulate) = 0;
  std::string operation;  ///< "lstm": which backward this is for
  size_t bytes = 0;
};

template <class T>
struct Saved final : SavedBase {
  std::string forward_name, backward_name;
  const RecurrentCellInfo* cell = nullptr;
  std::array<py::object, 13> keep;
  RecurrentArguments<T> arguments;
  Memory memory;

  py::tuple backward(const py::object& dy, const py::object& dh_n, const py::object& dc_n, bool need_dx,
                     const py::tuple& accumulate) override {
    const char* op = backward_name.c_str();
    RecurrentArguments<T> a = arguments;
    a.operation = op;
    a.threads = num_threads();
    RecurrentGradientViews<T> v;
    std::array<py::object, 3> given;
    v.dy = input<T, 3>(op, "dy", dy, given[0]);
    v.dh_n = input<T, 2>(op, "dh_n", dh_n, given[1]);
    v.dc_n = input<T, 2>(op, "dc_n", dc_n, given[2]);

    const NewArray<T, 2> dh0({a.x.shape[0], a.w_hh.shape[1]});
    v.dh0 = dh0.view;
    py::object dx = py::none(), dc0 = py::none();
    if (need_dx) {
      const NewArray<T, 3> fresh(a.x.shape);
      v.dx = fresh.view;
      dx = fresh.array;
    }
    if (cell->has_c) {
      const NewArray<T, 2> fresh({a.x.shape[0], a.w_hh.shape[0] / cell->gates});
      v.dc0 = fresh.view;
      dc0 = fresh.array;
    }
    // Weight gradients: the caller's array to add to, or a new one of zeros; none where there was no weight.
    const auto weight = [&]<int N>(const char* name, int index, const View<const T, N>& of,
                                   View<T, N>& view) {
      py::object result = py::none();
      if (!of) return result;
      if (index < int(accumulate.size())) result = accumulate[index];
      if (result.is_none()) {
        const NewArray<T, N> zeros(of.shape);
        std::fill_n(zeros.view.data, zeros.array.size(), T(0));
        view = zeros.view;
        return py::object(zeros.array);
      }
      if (!is_array_of<T>(result))
        throw py::type_error(std::string(op) + ": accumulate." + name + " must be an array of " +
                             std::string(py::str(py::dtype::of<T>())));
      view = output<T, N>(op, name, result);
      return result;
    };
    py::object dw_ih = weight("dw_ih", 0, a.w_ih, v.dw_ih), dw_hh = weight("dw_hh", 1, a.w_hh, v.dw_hh);
    py::object db_ih = weight("db_ih", 2, a.b_ih, v.db_ih), db_hh = weight("db_hh", 3, a.b_hh, v.db_hh);
    py::object dextra = weight("dw_peephole", 4, a.extra, v.dextra),
               dw_proj = weight("dw_proj", 5, a.w_proj, v.dw_proj);
    {
      py::gil_scoped_release release;
      const Memory workspace = acquire(recurrent_backward_workspace(cell->name, a, memory.get()));
      recurrent_backward(cell->name, a, v, memory.get(), workspace.get());
    }
    return py::make_tuple(dx, dw_ih, dw_hh, db_ih, db_hh, dh0.array, dc0, dextra, dw_proj);
  }
};

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

template <class T>
py::tuple forward(const std::string& operation, const std::string& cell, const py::object& x,
                  const py::object& w_ih, const py::object& w_hh, const py::object& b_ih,
                  const py::object& b_hh, const py::object& extra, const py::object& w_proj,
                  const py::object& h0, const py::object& c0, const py::object& lengths,
                  const py::object& resets, const py::object& recurrent_dropout_mask,
                  const py::object& zoneout_mask, bool reverse, int64_t checkpoint_every, bool training) {
  auto saved = std::make_unique<Saved<T>>();
  saved->forward_name = operation + "_forward";
  saved->backward_name = operation + "_backward";
  saved->operation = operation;
  const char* op = saved->forward_name.c_str();
  RecurrentArguments<T>& a = saved->arguments;
  auto& keep = saved->keep;
  a.operation = op;
  a.x = input<T, 3>(op, "x", x, keep[0]);
  a.w_ih = input<T, 2>(op, "w_ih", w_ih, keep[1]);
  a.w_hh = input<T, 2>(op, "w_hh", w_hh, keep[2]);
  a.b_ih = input<T, 1>(op, "b_ih", b_ih, keep[3]);
  a.b_hh = input<T, 1>(op, "b_hh", b_hh, keep[4]);
  a.extra = input<T, 2>(op, "w_peephole", extra, keep[5]);
  a.w_proj = input<T, 2>(op, "w_proj", w_proj, keep[6]);
  a.h0 = input<T, 2>(op, "h0", h0, keep[7]);
  a.c0 = input<T, 2>(op, "c0", c0, keep[8]);
  a.lengths = input<int64_t, 1>(op, "lengths", lengths, keep[9]);
  a.resets = input<bool, 2>(op, "resets", resets, keep[10]);
  a.recurrent_dropout_mask =
      mask<T>(op, "recurrent_dropout_mask", recurrent_dropout_mask, keep[11], a.x.shape[1]);
  a.zoneout_mask = mask<T>(op, "zoneout_mask", zoneout_mask, keep[12], a.x.shape[1]);
  a.reverse = reverse;
  a.checkpoint_every = checkpoint_every;
  a.threads = num_threads();

  const RecurrentSizes sizes = recurrent_sizes(cell, a, training);  // refuses unknown cells
  saved->cell = find_cell(cell);
  const int64_t batch = a.x.shape[0], state = a.w_hh.shape[1];
  const NewArray<T, 3> y({batch, a.x.shape[1], state});
  const NewArray<T, 2> h_n({batch, state});
  RecurrentResults<T> r{y.view, h_n.view, {}};
  py::object c_n = py::none();
  if (saved->cell->has_c) {
    const NewArray<T, 2> fresh({batch, a.w_hh.shape[0] / saved->cell->gates});
    r.c_n = fresh.view;
    c_n = fresh.array;
  }
  {
    py::gil_scoped_release release;
    if (training) saved->memory = acquire(sizes.saved);
    saved->bytes = sizes.saved;
    const Memory workspace = acquire(sizes.forward_workspace);
    recurrent_forward(cell, a, r, saved->memory.get(), workspace.get());
  }
  if (!training) return py::make_tuple(y.array, h_n.array, c_n, py::none());
  return py::make_tuple(y.array, h_n.array, c_n, std::unique_ptr<SavedBase>(std::move(saved)));
}

}  // namespace

void register_recurrent(py::module_& module) {
  py::class_<SavedBase>(module, "RecurrentSaved",
                        "What a recurrent forward call keeps for its backward calls.")
      .def_readonly("operation", &SavedBase::operation)
      .def_readonly("nbytes", &SavedBase::bytes)
      .def("backward", &SavedBase::backward);
  module.def("recurrent_cells", [] {
    py::list cells;
    for (const RecurrentCellInfo& cell : recurrent_cells()) cells.append(cell.name);
    return cells;
  });
  module.def("recurrent_forward", [](const std::string& operation, const std::string& cell,
                                     const py::object& x, const py::args& rest) {
    const std::string op = operation + "_forward";
    return by_dtype(op.c_str(), "x", x, [&]<class T>(T) {
      return forward<T>(operation, cell, x, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], rest[6],
                        rest[7], rest[8], rest[9], rest[10], rest[11], rest[12].template cast<bool>(),
                        rest[13].template cast<int64_t>(), rest[14].template cast<bool>());
    });
  });
}
