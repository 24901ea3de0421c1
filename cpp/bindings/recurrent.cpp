#include "arrays.hpp"

void register_recurrent(pybind11::module_&) {}
