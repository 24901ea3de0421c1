# libweft.so and libweft.a, of the same objects: cpp/src (validation, dispatch, the public API), compiled for the
# baseline machine, and the kernels of every instruction set.

file(GLOB_RECURSE WEFT_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/src/*.cpp)
add_library(weft_objects OBJECT ${WEFT_SOURCES})
target_compile_definitions(weft_objects PRIVATE WEFT_VERSION="${PROJECT_VERSION}")
# A section for each function, so that a program linked with --gc-sections keeps those that it calls.
target_compile_options(weft_objects PRIVATE -Wall -Wextra -ffunction-sections -fdata-sections)
if(NOT WEFT_SANITIZE)
  target_compile_options(weft_objects PRIVATE $<$<CONFIG:Release>:-O2>)  # -O3 takes a fifth longer, and brings nothing
endif()
target_link_libraries(weft_objects PRIVATE weft_inside Threads::Threads)
# What reads a file runs once: small code, where a program that only steps a GRU shall stay small.
set_source_files_properties(src/files/json.cpp src/files/json_check.cpp src/files/safetensors.cpp src/model/check_graph.cpp
                            src/model/parse_graph.cpp PROPERTIES COMPILE_OPTIONS -Os)

set(WEFT_OBJECTS $<TARGET_OBJECTS:weft_objects>)
foreach(isa IN LISTS WEFT_ISAS)
  list(APPEND WEFT_OBJECTS $<TARGET_OBJECTS:weft_kernels_${isa}>)
endforeach()

add_library(weft_shared SHARED ${WEFT_OBJECTS})
add_library(weft_static STATIC ${WEFT_OBJECTS})
foreach(kind shared static)
  add_library(weft::${kind} ALIAS weft_${kind})
  target_include_directories(weft_${kind} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cpp/include>)
  target_compile_features(weft_${kind} PUBLIC cxx_std_20)
  target_link_libraries(weft_${kind} PRIVATE Threads::Threads)
  set_target_properties(weft_${kind} PROPERTIES OUTPUT_NAME weft LINKER_LANGUAGE CXX)
endforeach()
add_library(weft::weft ALIAS weft_static)  # for the tests and benchmarks, which look inside
if(NOT WEFT_STATIC)
  set_target_properties(weft_static PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

# One file for each SONAME: the ABI's number alone, no full version behind it.
set_target_properties(weft_shared PROPERTIES SOVERSION ${PROJECT_VERSION_MAJOR})
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # -Bsymbolic-functions: a program that holds another copy of weft, linked statically, does not divert its calls.
  target_link_options(weft_shared PRIVATE LINKER:-z,now LINKER:-z,relro LINKER:-Bsymbolic-functions
                                          LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map
                                          LINKER:-z,nodelete)  # its threads outlive a dlclose()
  set_target_properties(weft_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  if(NOT WEFT_SANITIZE)  # the sanitizers' runtime is the program's
    target_link_options(weft_shared PRIVATE LINKER:-z,defs)
  endif()
endif()
