// Calls that may take long: without Python's lock, and ended early by Ctrl-C.
#pragma once

#include <pybind11/pybind11.h>

#include "weft/interruptible.hpp"

namespace weft::bindings {

/// Whether a signal's handler has raised an exception, as Ctrl-C does in the main thread.
inline bool handler_has_raised() {
  const py::gil_scoped_acquire lock;
  return PyErr_CheckSignals() != 0;
}

/// Thrown where Python's lock is not held: the handler's exception is set, and to be thrown on with it.
struct Interrupted {};

/// call() without Python's lock. Throws what a signal's handler raised meanwhile; then the call has ended
/// early, and what it was to write and to add to is undefined.
template <class Call>
void long_call(const Call& call) {
  bool interrupted = false;
  {
    const py::gil_scoped_release release;
    const Interruptible calls(&handler_has_raised);
    call();
    interrupted = calls.interrupted();
  }
  if (interrupted) throw py::error_already_set();
}

}  // namespace weft::bindings
