# The headers of others that are compiled into weft: Eigen into the kernels, pybind11 into the Python extension.
#
# They are compiled from copies in the build tree. pip builds in an environment that it makes for each build and removes
# after it: compiled from there, every command would name another folder and every header would be newer than the last
# build's objects, and a second `pip install .` would begin anew. A copy is written only where its contents differ.

# weft_copy_headers(<from> <to>): afterwards the folder <to> holds the files of <from> and no others.
function(weft_copy_headers from to)
  file(GLOB_RECURSE wanted RELATIVE ${from} ${from}/*)
  if(NOT wanted)
    message(FATAL_ERROR "weft: no headers in ${from}")
  endif()
  file(GLOB_RECURSE present RELATIVE ${to} ${to}/*)
  list(REMOVE_ITEM present ${wanted})
  foreach(header IN LISTS present)
    file(REMOVE ${to}/${header})
  endforeach()
  foreach(header IN LISTS wanted)
    cmake_path(GET header PARENT_PATH folder)
    file(MAKE_DIRECTORY ${to}/${folder})
    file(COPY_FILE ${from}/${header} ${to}/${header} ONLY_IF_DIFFERENT)
  endforeach()
endfunction()

# A cache that has outlived pip's environment may say where a package was. What is not there any more is looked for.
foreach(package Eigen3 pybind11)
  if(${package}_DIR AND NOT IS_DIRECTORY "${${package}_DIR}")
    unset(${package}_DIR CACHE)
  endif()
endforeach()

find_package(Python QUIET COMPONENTS Interpreter)
if(Python_FOUND)  # the wheel cmeel-eigen keeps its config where CMake does not look
  execute_process(COMMAND ${Python_EXECUTABLE} -c "import sysconfig; print(sysconfig.get_path('purelib'))"
                  OUTPUT_VARIABLE WEFT_SITE_PACKAGES OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_package(Eigen3 CONFIG REQUIRED
             PATHS ${CMAKE_PREFIX_PATH} ${WEFT_SITE_PACKAGES}
             PATH_SUFFIXES cmeel.prefix/share/eigen3/cmake)
if(Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "weft needs Eigen 3.4 or newer, found ${Eigen3_VERSION} in ${Eigen3_DIR}")
endif()
get_target_property(found Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
weft_copy_headers(${found}/Eigen ${PROJECT_BINARY_DIR}/third_party/eigen/Eigen)
add_library(weft_eigen INTERFACE)
target_include_directories(weft_eigen SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/third_party/eigen)

if(WEFT_PYTHON)
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
  find_package(pybind11 CONFIG REQUIRED)
  weft_copy_headers(${pybind11_INCLUDE_DIR}/pybind11 ${PROJECT_BINARY_DIR}/third_party/pybind11/pybind11)
  # What pybind11_add_module links in the end; the folder that it names is the one that was found.
  set_target_properties(pybind11::pybind11_headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                                                              ${PROJECT_BINARY_DIR}/third_party/pybind11)
endif()
