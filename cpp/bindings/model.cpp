// weftnn._core: models from files, and streams of their steps: Model32 and Stream32, Model64 and Stream64.
#include "weft/model.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>

#include "arrays.hpp"
#include "long_call.hpp"
#include "new_array.hpp"

namespace {

namespace py = pybind11;
using namespace weft;
using namespace weft::bindings;

/// As input, for an argument that must be there.
template <class T, int N>
View<const T, N> needed(const char* operation, const py::object& x, py::object& keep) {
  if (x.is_none()) throw py::type_error(place(operation, "x") + " must be a NumPy array, got None");
  return input<T, N>(operation, "x", x, keep);
}

void check(const char* operation, Status status) {
  if (status == Status::ok) return;
  const std::string message = std::string(operation) + ": " + status_text(status);
  if (status == Status::bad_token) throw py::value_error(message);
  throw std::runtime_error(message);
}

/// A stream and a lock: in C++ it belongs to one thread at a time, but Python's may share one. Calls of
/// several threads come one after the other.
template <class T>
struct LockedStream {
  BasicStream<T> stream;
  std::mutex mutex;
  std::atomic<pid_t> stepping_in{0};  // the process whose thread is within a step without the interpreter

  LockedStream(const BasicModel<T>& model, int64_t capacity) : stream(model, capacity) {}
  explicit LockedStream(const BasicStream<T>& other) : stream(other) {}

  /// Whoever has to wait lets go of the interpreter, which the one that it waits for may need.
  std::unique_lock<std::mutex> lock() {
    std::unique_lock held(mutex, std::try_to_lock);
    if (!held) {
      // A child of fork() has what that thread had written by then, and never the thread itself.
      if (const pid_t process = stepping_in; process != 0 && process != getpid())
        throw std::runtime_error(
            "Stream: another thread was within a step of it when this process was forked, so that its state "
            "is half of one step and half of the next: make a new one");
      const py::gil_scoped_release release;
      held.lock();
    }
    return held;
  }

  /// step() or process() for `steps` steps, alone; Python's other threads run meanwhile if that is long
  /// enough.
  template <class Work>
  Status run(int64_t steps, const Work& work) {
    // Some 50 microseconds: taking the interpreter back may mean waiting for it, which no short step should.
    constexpr size_t worthwhile = 1 << 20;
    const auto held = lock();
    if (steps <= 0 || stream.step_bytes() < worthwhile / size_t(steps)) return work(stream);
    struct Stepping {  // until the work ends, however it does
      std::atomic<pid_t>& in;
      explicit Stepping(std::atomic<pid_t>& process) : in(process) { in = getpid(); }
      ~Stepping() { in = 0; }
    };
    const Stepping stepping(stepping_in);
    const py::gil_scoped_release release;
    return work(stream);
  }
};

// ---- models ----

py::object unwrapped(AnyModel loaded) {
  return std::visit([](auto& model) { return py::cast(std::move(model)); }, loaded);
}

py::object py_load(const py::bytes& path) {
  const std::string name = path;
  return unwrapped([&] {
    const py::gil_scoped_release release;
    return load_any_model(name);
  }());
}

py::object py_parse(const py::bytes& file) {
  const std::string_view bytes = file;
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  return unwrapped(parse_any_model({data, bytes.size()}));
}

template <class T, class X, int N>
py::array run(const BasicModel<T>& model, const py::object& x, const py::object& lengths, int threads) {
  const char* operation = "Model.run";
  std::array<py::object, 2> keep;
  const auto x_view = needed<X, N>(operation, x, keep[0]);
  const auto lengths_view = input<int64_t, 1>(operation, "lengths", lengths, keep[1]);
  const NewArray<T, 3> y({x_view.shape[0], x_view.shape[1], model.outputs()});
  long_call([&] { model.run(x_view, y.view, lengths_view, threads); });
  return y.array;
}

template <class T>
py::array py_run(const BasicModel<T>& model, const py::object& x, const py::object& lengths, int threads) {
  return model.takes_tokens() ? run<T, int64_t, 2>(model, x, lengths, threads)
                              : run<T, T, 3>(model, x, lengths, threads);
}

// ---- streams ----

template <class T>
py::array py_step(LockedStream<T>& self, const py::object& x) {
  const char* operation = "Stream.step";
  BasicStream<T>& stream = self.stream;
  const NewArray<T, 1> y({stream.outputs()});
  if (stream.takes_tokens()) {
    // A number that is too large becomes the largest. An array is no index, though it has the slot of one.
    const bool perhaps = PyIndex_Check(x.ptr()) != 0 && !PyBool_Check(x.ptr());
    const int64_t token = perhaps ? PyNumber_AsSsize_t(x.ptr(), nullptr) : -1;
    if (!perhaps || PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      throw py::type_error(place(operation, "x") + " must be a token, an integer, got " + type_name(x));
    }
    check(operation, self.run(1, [&](auto& stream) { return stream.step(token, y.view.data); }));
  } else {
    py::object keep;
    const auto view = needed<T, 1>(operation, x, keep);
    if (view.shape[0] != stream.inputs())
      throw py::value_error(place(operation, "x") + " must be (inputs,) = (" +
                            std::to_string(stream.inputs()) + ",), got (" + std::to_string(view.shape[0]) +
                            ",)");
    check(operation, self.run(1, [&](auto& stream) { return stream.step(view.data, y.view.data); }));
  }
  return y.array;
}

/// stream.process of x [steps, ...], in pieces of about a tenth of a second between which Ctrl-C is looked
/// for. Does all steps or none.
template <class T, class X>
Status process_in_pieces(BasicStream<T>& stream, const X* x, int64_t x_row, T* y, int64_t steps) {
  const int64_t piece = std::max<int64_t>(1, (int64_t(8) << 30) / int64_t(stream.step_bytes() + 1));
  if (steps <= piece) return stream.process(x, y, steps);
  const BasicStream<T> before(stream);
  for (int64_t done = 0; done < steps; done += piece) {
    const Status status =
        stream.process(x + done * x_row, y + done * stream.outputs(), std::min(piece, steps - done));
    const bool raised = status == Status::ok && handler_has_raised();
    if (status == Status::ok && !raised) continue;
    stream.assign(before);
    if (raised) throw Interrupted();
    return status;
  }
  return Status::ok;
}

/// x is C-contiguous.
template <class T>
py::array py_process(LockedStream<T>& self, const py::object& x) {
  const char* operation = "Stream.process";
  BasicStream<T>& stream = self.stream;
  py::object keep;
  const auto process = [&]<class X, int N>(const View<X, N>& view) {
    const NewArray<T, 2> y({view.shape[0], stream.outputs()});
    int64_t row = 1;  // elements of a step
    for (int axis = 1; axis < N; ++axis) row *= view.shape[axis];
    try {
      check(operation, self.run(view.shape[0], [&](auto& stream) {
        return process_in_pieces(stream, view.data, row, y.view.data, view.shape[0]);
      }));
    } catch (const Interrupted&) {
      throw py::error_already_set();
    }
    return y.array;
  };
  if (stream.takes_tokens()) return process(needed<int64_t, 1>(operation, x, keep));
  const auto view = needed<T, 2>(operation, x, keep);
  if (view.shape[1] != stream.inputs())
    throw py::value_error(
        place(operation, "x") + " must be (n, inputs) with inputs = " + std::to_string(stream.inputs()) +
        ", got (" + std::to_string(view.shape[0]) + ", " + std::to_string(view.shape[1]) + ")");
  return process(view);
}

template <class T>
std::unique_ptr<LockedStream<T>> py_copy(LockedStream<T>& self) {
  const auto lock = self.lock();
  return std::make_unique<LockedStream<T>>(self.stream);
}

/// Two locks at once could wait for each other, so the other stream is copied first.
template <class T>
bool py_assign(LockedStream<T>& self, LockedStream<T>& other) {
  const auto copy = py_copy(other);
  const auto lock = self.lock();
  return self.stream.assign(copy->stream);
}

template <class T>
void register_precision(py::module_& module, const char* model, const char* stream) {
  py::class_<BasicModel<T>>(module, model)
      .def_property_readonly("dtype", [](const BasicModel<T>&) { return py::dtype::of<T>(); })
      .def_property_readonly("takes_tokens", &BasicModel<T>::takes_tokens)
      .def_property_readonly("inputs", &BasicModel<T>::inputs)
      .def_property_readonly("outputs", &BasicModel<T>::outputs)
      .def_property_readonly("context", &BasicModel<T>::context)
      .def_property_readonly("obstacle", &BasicModel<T>::obstacle)
      .def_property_readonly("unused_tensors",
                             [](const BasicModel<T>& self) {
                               py::list names;
                               for (const std::string& name : self.unused_tensors()) names.append(name);
                               return names;
                             })
      .def("run", &py_run<T>)
      .def("stream", [](const BasicModel<T>& self, int64_t capacity) {
        const py::gil_scoped_release release;  // the first stream of a model packs its weights
        return std::make_unique<LockedStream<T>>(self, capacity);
      });
  using Self = LockedStream<T>;
  py::class_<Self>(module, stream)
      .def_property_readonly("position",
                             [](Self& self) {
                               const auto lock = self.lock();
                               return self.stream.position();
                             })
      .def_property_readonly("capacity", [](const Self& self) { return self.stream.capacity(); })
      .def_property_readonly("takes_tokens", [](const Self& self) { return self.stream.takes_tokens(); })
      .def_property_readonly("inputs", [](const Self& self) { return self.stream.inputs(); })
      .def_property_readonly("outputs", [](const Self& self) { return self.stream.outputs(); })
      .def_property_readonly("nbytes", [](const Self& self) { return self.stream.bytes(); })
      .def("step", &py_step<T>)
      .def("process", &py_process<T>)
      .def("reset",
           [](Self& self) {
             const auto lock = self.lock();
             self.stream.reset();
           })
      .def("copy", &py_copy<T>)
      .def("assign", &py_assign<T>);
}

}  // namespace

void register_model(py::module_& module) {
  register_precision<float>(module, "Model32", "Stream32");
  register_precision<double>(module, "Model64", "Stream64");
  module.def("load_model", &py_load);
  module.def("parse_model", &py_parse);
}
