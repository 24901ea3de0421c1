# The kernels, compiled once per instruction set: one object library each, in a namespace of its own.
#
#   weft_instruction_set(<name> [PROCESSOR <regex>] [FLAGS <flag>...] [SUPPORTED <feature>...] [NARROWER <set>]
#                        [BASE <set> FAMILIES <family>...])
#
# It is compiled with FLAGS where CMAKE_SYSTEM_PROCESSOR matches PROCESSOR, and chosen where the processor has all of
# SUPPORTED, names that __builtin_cpu_supports() knows. Block sizes and thresholds are in cpp/kernels/tuning/<name>.hpp.
# NARROWER is the set with half of its vectors, whose kernels step what fills no more than that. A set with a BASE
# compiles the kernels of FAMILIES alone and takes all others from its base, whose flags and conditions hold for it too.
#
# Eigen's inline functions are weak symbols: compiled with wider instructions, the linker could pick them for every
# caller and crash an older machine. Each instruction set therefore renames the whole of Eigen's namespace.

# The families, as dispatch knows them: folders of cpp/kernels. What lies in others belongs to every set.
set(WEFT_FAMILIES recurrent dense pointwise loss optim attention step)

set(WEFT_OPTIMIZE -O3)
if(WEFT_SANITIZE)  # instrumented vector code takes minutes a file to optimize further
  set(WEFT_OPTIMIZE -O1)
endif()

file(GLOB_RECURSE WEFT_KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/kernels/*.cpp)

# Adds the target weft_kernels_<name>, and <name> to WEFT_ISAS.
function(weft_instruction_set name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "PROCESSOR;NARROWER;BASE" "FLAGS;SUPPORTED;FAMILIES")
  if(given_UNPARSED_ARGUMENTS OR (given_BASE AND NOT given_FAMILIES) OR (given_FAMILIES AND NOT given_BASE))
    message(FATAL_ERROR "weft_instruction_set(${name}): BASE goes with FAMILIES, and these mean nothing: "
                        "${given_UNPARSED_ARGUMENTS}")
  endif()
  if(given_PROCESSOR AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "${given_PROCESSOR}")
    return()
  endif()
  if(given_BASE AND NOT TARGET weft_kernels_${given_BASE})
    return()
  elseif(WEFT_ONLY_ISAS AND NOT name IN_LIST WEFT_ONLY_ISAS AND NOT given_BASE AND NOT name STREQUAL baseline)
    return()
  endif()

  set(sources ${WEFT_KERNELS})
  set(tuning kernels/tuning/${name}.hpp)
  if(given_BASE)
    get_target_property(flags weft_kernels_${given_BASE} WEFT_FLAGS)
    get_target_property(supported weft_kernels_${given_BASE} WEFT_SUPPORTED)
    list(PREPEND given_FLAGS ${flags})
    list(PREPEND given_SUPPORTED ${supported})
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/cpp/${tuning})
      get_target_property(tuning weft_kernels_${given_BASE} WEFT_TUNING)
    endif()
  endif()
  set(owners "")  # of each family, in their order
  foreach(family IN LISTS WEFT_FAMILIES)
    if(NOT given_BASE OR family IN_LIST given_FAMILIES)
      list(APPEND owners ${name})
    else()
      list(FILTER sources EXCLUDE REGEX "/kernels/${family}/")
      get_target_property(owners_of_base weft_kernels_${given_BASE} WEFT_OWNERS)
      list(FIND WEFT_FAMILIES ${family} place)
      list(GET owners_of_base ${place} owner)
      list(APPEND owners ${owner})
    endif()
  endforeach()

  # Small files are compiled together, since most of their time goes to Eigen's headers; what a step links lies apart
  # from what it does not.
  foreach(source IN LISTS sources)
    if(source MATCHES "/(optim|loss)/|/(dropout|rotary|embedding)\\.cpp$")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP training)
    elseif(source MATCHES "/pointwise/|/layer_norm\\.cpp$")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP rows)
    elseif(source MATCHES "/attention/" AND NOT source MATCHES "/attention_forward\\.cpp$")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP attention)
    endif()
  endforeach()

  set(target weft_kernels_${name})
  add_library(${target} OBJECT ${sources})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP WEFT_FLAGS "${given_FLAGS}"
                                             WEFT_SUPPORTED "${given_SUPPORTED}" WEFT_TUNING ${tuning}
                                             WEFT_OWNERS "${owners}")
  target_compile_definitions(${target} PRIVATE WEFT_ISA=${name} WEFT_TUNING="${tuning}" Eigen=Eigen_${name}
                                               EIGEN_DONT_PARALLELIZE NDEBUG)
  if(given_NARROWER IN_LIST WEFT_ISAS)
    target_compile_definitions(${target} PRIVATE WEFT_NARROWER=${given_NARROWER})
  endif()
  target_compile_options(${target} PRIVATE ${given_FLAGS} ${WEFT_OPTIMIZE} -fno-math-errno -fno-trapping-math
                                           -ffp-contract=fast -fno-exceptions -fno-rtti -Wall -Wextra
                                           -Wno-ignored-attributes -Wno-uninitialized -Wno-maybe-uninitialized)
  target_link_libraries(${target} PRIVATE weft_inside weft_eigen)
  set(WEFT_ISAS ${WEFT_ISAS} ${name} PARENT_SCOPE)
endfunction()

# weft_isa_objects(<name> <isa> <source>...): an object library compiled as the kernels of that instruction set are.
function(weft_isa_objects name isa)
  add_library(${name} OBJECT ${ARGN})
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_LIBRARIES)
    get_target_property(value weft_kernels_${isa} ${property})
    set_target_properties(${name} PROPERTIES ${property} "${value}")
  endforeach()
endfunction()

# weft_list_instruction_sets(<folder> <isa>...): the list for C++, <folder>/instruction_sets.hpp.
function(weft_list_instruction_sets folder)
  set(lines "")
  foreach(isa IN LISTS ARGN)
    get_target_property(features weft_kernels_${isa} WEFT_SUPPORTED)
    list(TRANSFORM features REPLACE "(.+)" "__builtin_cpu_supports(\"\\1\")")
    list(JOIN features " && " supported)
    if(supported STREQUAL "")
      set(supported true)
    endif()
    get_target_property(owners weft_kernels_${isa} WEFT_OWNERS)
    list(JOIN owners ", " owners)
    string(APPEND lines " \\\n  X(${isa}, (${supported}), ${owners})")
  endforeach()
  list(JOIN WEFT_FAMILIES ", " families)
  file(CONFIGURE OUTPUT ${folder}/instruction_sets.hpp @ONLY CONTENT
"// Made by cmake/kernels.cmake: the instruction sets of this build, slowest first, each with the condition on which the
// processor has it and with the sets whose kernels it uses, by family.
#pragma once

// X(isa, supported, @families@)
#define WEFT_INSTRUCTION_SETS(X)@lines@
")
endfunction()

# For what looks inside: the sources' own headers, and the list of instruction_sets.cmake.
add_library(weft_inside INTERFACE)
target_include_directories(weft_inside INTERFACE ${PROJECT_SOURCE_DIR}/cpp/include ${PROJECT_SOURCE_DIR}/cpp
                                                 ${PROJECT_BINARY_DIR}/generated)
