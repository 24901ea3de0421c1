# weft_isa_objects(<name> <isa> <source>...): an object library compiled as the kernels of that instruction set are.
function(weft_isa_objects name isa)
  add_library(${name} OBJECT ${ARGN})
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES LINK_LIBRARIES)
    get_target_property(value weft_kernels_${isa} ${property})
    set_target_properties(${name} PROPERTIES ${property} "${value}")
  endforeach()
endfunction()
