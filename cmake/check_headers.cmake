# Fails where a public header cannot be compiled alone, reads what a user of weft need not have, or is taken for a target
# of 32 bits.
#
#   cmake -DINCLUDE=<folder> -DCXX=<compiler> -DCC=<compiler> -DWORK=<folder> -P check_headers.cmake

set(warnings -pedantic -Wall -Wextra -Werror)
get_filename_component(INCLUDE ${INCLUDE} ABSOLUTE)
file(GLOB headers RELATIVE ${INCLUDE} ${INCLUDE}/weft/*.hpp ${INCLUDE}/weft/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers in ${INCLUDE}")
endif()
set(failed "")

function(check_header header suffix compiler)
  string(MAKE_C_IDENTIFIER "${header}${ARGN}" name)
  file(WRITE ${WORK}/${name}.${suffix} "#include \"${header}\"\ntypedef int not_empty;\n")
  execute_process(COMMAND ${compiler} ${ARGN} ${warnings} -I${INCLUDE} -H -fsyntax-only ${WORK}/${name}.${suffix}
                  ERROR_VARIABLE said RESULT_VARIABLE result)  # -H: the files that are read, with dots before
  if(NOT result EQUAL 0)
    string(APPEND failed "${header} with ${compiler} ${ARGN}:\n${said}\n")
  endif()
  string(REGEX MATCHALL "\n\\.+ [^\n]*(Eigen|omp\\.h|pybind11|Python\\.h)[^\n]*" read "${said}")
  if(read)
    string(APPEND failed "${header} reads ${read}\n")
  endif()
  set(failed "${failed}" PARENT_SCOPE)
endfunction()

# As if pointers had 32 bits: with -m32 a compiler reads headers that few machines have.
function(check_refused header)
  string(MAKE_C_IDENTIFIER "${header}" name)
  file(WRITE ${WORK}/${name}_32.cpp "#include \"${header}\"\n")
  execute_process(COMMAND ${CXX} -std=c++20 -U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4 -w -I${INCLUDE} -fsyntax-only
                          ${WORK}/${name}_32.cpp
                  ERROR_VARIABLE said RESULT_VARIABLE result)
  if(result EQUAL 0 OR NOT said MATCHES "weft needs a target of 64 bits")
    string(APPEND failed "${header} for pointers of 32 bits:\n${said}\n")
  endif()
  set(failed "${failed}" PARENT_SCOPE)
endfunction()

foreach(header IN LISTS headers)
  check_refused(${header})
  check_header(${header} cpp ${CXX} -std=c++20)
  if(header MATCHES "\\.h$")
    check_header(${header} c ${CC} -std=c99)
    check_header(${header} cpp ${CXX} -std=c++11)
  endif()
endforeach()
if(failed)
  message(FATAL_ERROR "${failed}")
endif()
