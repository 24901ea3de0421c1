#include "arrays.hpp"

void register_pointwise(pybind11::module_&) {}
