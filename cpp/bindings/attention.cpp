// weftnn._core.sdpa_forward and what it saves, which takes gradients back.
#include "weft/attention.hpp"

#include <algorithm>
#include <array>
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

constexpr const char* sdpa_names[] = {"q",    "k",          "v",       "bool_mask", "float_mask",
                                      "bias", "kv_lengths", "scale",   "softcap",   "from_end",
                                      "left", "right",      "dropout", "seed",      "offset"};
using SdpaArgument = Place<sdpa_names>;

/// A mask or bias [B, N, T, S] of any strides, which stay as they are.
template <class T>
View<const T, 4> broadcast(const char* argument, const py::object& object, py::object& keep) {
  if (object.is_none()) return {};
  auto array = py::reinterpret_borrow<py::array>(object);
  if (!is_aligned<T>(array)) return input<T, 4>("sdpa_forward", argument, object, keep);
  View<const T, 4> view;
  static const T nothing{};
  view.data = array.data() != nullptr ? static_cast<const T*>(array.data()) : &nothing;
  for (int axis = 0; axis < 4; ++axis) {
    view.shape[size_t(axis)] = array.shape(axis);
    view.stride[size_t(axis)] = array.strides(axis) / py::ssize_t(sizeof(T));
  }
  keep = std::move(array);
  return view;
}

/// A new array [B, N, T, E] that lies in memory as `like` does: heads inside time, if it has them so.
template <class T>
std::pair<py::array, View<T, 4>> new_like(const View<const T, 4>& like, int64_t columns) {
  const auto [B, N, time, _] = like.shape.at;
  if (like.stride[1] >= like.stride[2]) {
    const NewArray<T, 4> fresh({B, N, time, columns});
    return {fresh.array, fresh.view};
  }
  const NewArray<T, 4> fresh({B, time, N, columns});
  const auto& stride = fresh.view.stride;
  return {py::array(fresh.array.attr("swapaxes")(1, 2)),
          {fresh.view.data, {B, N, time, columns}, {stride[0], stride[2], stride[1], stride[3]}}};
}

struct SavedBase {
  virtual ~SavedBase() = default;
  virtual py::array weights(bool mean) const = 0;
  virtual py::tuple backward(const py::object& dout, const py::object& dq, const py::object& dk,
                             const py::object& dv) const = 0;
  virtual void add_bias_gradient(const py::object& dout, const py::object& dbias) const = 0;
};

/// The arguments of a forward call, kept alive, and its results.
template <class T>
struct Saved final : SavedBase {
  AttentionForward<T> call{};
  std::array<py::object, 7> keep;
  py::array out, normalizer;

  explicit Saved(const py::args& given) {
    const char* op = "sdpa_forward";
    AttentionArguments<T>& a = call.arguments;
    a.operation = op;
    a.q = input<T, 4>(op, "q", given[SdpaArgument("q").index], keep[0]);
    a.k = input<T, 4>(op, "k", given[SdpaArgument("k").index], keep[1]);
    a.v = input<T, 4>(op, "v", given[SdpaArgument("v").index], keep[2]);
    a.mask = broadcast<bool>("mask", given[SdpaArgument("bool_mask").index], keep[3]);
    a.float_mask = broadcast<T>("mask", given[SdpaArgument("float_mask").index], keep[4]);
    a.bias = broadcast<T>("bias", given[SdpaArgument("bias").index], keep[5]);
    a.kv_lengths = input<int64_t, 1>(op, "kv_lengths", given[SdpaArgument("kv_lengths").index], keep[6]);
    a.scale = given[SdpaArgument("scale").index].cast<double>();
    a.softcap = given[SdpaArgument("softcap").index].cast<double>();
    a.from_end = given[SdpaArgument("from_end").index].cast<bool>();
    a.left = given[SdpaArgument("left").index].cast<int64_t>();
    a.right = given[SdpaArgument("right").index].cast<int64_t>();
    a.dropout = given[SdpaArgument("dropout").index].cast<double>();
    a.seed = given[SdpaArgument("seed").index].cast<uint64_t>();
    a.offset = given[SdpaArgument("offset").index].cast<uint64_t>();
    a.threads = num_threads();
  }

  void run() {
    const size_t size = attention_forward_workspace(call.arguments);
    std::tie(out, call.out) = new_like(call.arguments.q, call.arguments.v.shape[3]);
    const auto [B, N, time, _] = call.arguments.q.shape.at;
    const NewArray<T, 4> fresh({B, N, time, 2});
    normalizer = fresh.array, call.normalizer = fresh.view;
    long_call([&] {
      const Memory workspace = acquire(size);
      call.workspace = workspace.get();
      attention_forward(call);
    });
  }

  py::array weights(bool mean) const override {
    const AttentionArguments<T> a = of("sdpa_forward");
    const auto [B, N, time, _] = a.q.shape.at;
    const NewArray<T, 4> fresh({B, mean ? 1 : N, time, a.k.shape[2]});
    long_call([&] {
      const Memory workspace = acquire(attention_weights_workspace(a));
      attention_weights<T>({.arguments = a,
                            .normalizer = call.normalizer,
                            .weights = fresh.view,
                            .workspace = workspace.get()});
    });
    return fresh.array;
  }

  py::tuple backward(const py::object& dout, const py::object& dq, const py::object& dk,
                     const py::object& dv) const override {
    const AttentionArguments<T> a = of("sdpa_backward");
    py::object kept;
    const auto dout_view = input<T, 4>(a.operation, "dout", dout, kept);
    const Gradient dq_of = gradient("dq", dq, a.q), dk_of = gradient("dk", dk, a.k),
                   dv_of = gradient("dv", dv, a.v);
    long_call([&] {
      const Memory workspace = acquire(attention_backward_workspace(a));
      attention_backward<T>({.arguments = a,
                             .out = call.out,
                             .normalizer = call.normalizer,
                             .dout = dout_view,
                             .dq = dq_of.view,
                             .dk = dk_of.view,
                             .dv = dv_of.view,
                             .workspace = workspace.get()});
    });
    return py::make_tuple(dq_of.array, dk_of.array, dv_of.array);
  }

  void add_bias_gradient(const py::object& dout, const py::object& dbias) const override {
    const AttentionArguments<T> a = of("sdpa_backward");
    py::object kept;
    const auto dout_view = input<T, 4>(a.operation, "dout", dout, kept);
    const auto dbias_view = output<T, 4>(a.operation, "dbias", dbias);
    long_call([&] {
      const Memory workspace = acquire(attention_backward_workspace(a));
      attention_bias_gradient<T>({.arguments = a,
                                  .out = call.out,
                                  .normalizer = call.normalizer,
                                  .dout = dout_view,
                                  .dbias = dbias_view,
                                  .workspace = workspace.get()});
    });
  }

 private:
  AttentionArguments<T> of(const char* operation) const {
    AttentionArguments<T> a = call.arguments;
    a.operation = operation;
    a.threads = num_threads();
    return a;
  }
  struct Gradient {
    py::object array;
    View<T, 4> view;
  };
  /// The caller's array to write to, or a new one.
  static Gradient gradient(const char* name, const py::object& given, const View<const T, 4>& of) {
    if (!given.is_none()) return {given, output<T, 4>("sdpa_backward", name, given)};
    const auto [array, view] = new_like(of, of.shape[3]);
    return {array, view};
  }
};

}  // namespace

void register_attention(py::module_& module) {
  py::class_<SavedBase>(module, "AttentionSaved",
                        "What an attention forward call keeps for its backward calls.")
      .def("weights", &SavedBase::weights)
      .def("backward", &SavedBase::backward)
      .def("add_bias_gradient", &SavedBase::add_bias_gradient);
  module.attr("sdpa_arguments") = tuple_of_names<sdpa_names>();
  module.def("sdpa_forward", [](const py::args& given) {
    return by_dtype("sdpa_forward", "q", given[SdpaArgument("q").index], [&]<class T>(T) {
      auto saved = std::make_unique<Saved<T>>(given);
      saved->run();
      py::object out = saved->out, normalizer = saved->normalizer;
      return py::make_tuple(out, normalizer, std::unique_ptr<SavedBase>(std::move(saved)));
    });
  });
}
