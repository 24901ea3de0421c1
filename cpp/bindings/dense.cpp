#include "arrays.hpp"

void register_dense(pybind11::module_&) {}
