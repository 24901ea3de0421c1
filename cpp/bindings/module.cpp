// The extension module weftnn._core: NumPy arrays to views, the interpreter lock released, nothing else.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "memory.hpp"
#include "weft/config.hpp"
#include "weft/errors.hpp"

namespace py = pybind11;

void register_recurrent(py::module_& module);
void register_attention(py::module_& module);
void register_additive_scores(py::module_& module);
void register_dense(py::module_& module);
void register_pointwise(py::module_& module);
void register_model(py::module_& module);

namespace {

/// weft::BadFile as _core.BadFile, a ValueError with its path and its reason. weft::BadArgument is a
/// ValueError, and a std::bad_alloc a MemoryError, without our help.
void register_errors(py::module_& module) {
  static const py::handle bad_file = PyErr_NewException("weftnn._core.BadFile", PyExc_ValueError, nullptr);
  module.attr("BadFile") = bad_file;
  py::register_exception_translator([](std::exception_ptr thrown) {
    const auto text = [](const char* bytes) {  // a path need not be UTF-8
      return py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(bytes));
    };
    try {
      std::rethrow_exception(thrown);
    } catch (const weft::BadFile& error) {
      const py::object made = bad_file(text(error.what()));
      made.attr("path") = text(error.path());
      made.attr("reason") = text(error.reason());
      PyErr_SetObject(bad_file.ptr(), made.ptr());
    }
  });
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  // The loader takes any libweft.so.0 that the process already holds, and the C++ interface is not that of
  // every version.
  if (weft::version() != std::string(WEFT_VERSION))
    throw py::import_error("weft " WEFT_VERSION " found the library of weft " + std::string(weft::version()) +
                           " in this process");
  register_errors(module);
  module.doc() = "weft's kernels on NumPy arrays; use weftnn.ops";
  module.def("version", &weft::version);
  module.def("available_isas", &weft::available_isas);
  module.def("isa", &weft::isa);
  module.def("set_isa", &weft::set_isa, py::arg("name"));
  module.def("num_threads", &weft::num_threads);
  module.def("set_num_threads", &weft::set_num_threads, py::arg("threads"));
  module.def("release_memory", &weft::bindings::release_unused);
  register_recurrent(module);
  register_attention(module);
  register_additive_scores(module);
  register_dense(module);
  register_pointwise(module);
  register_model(module);
}
