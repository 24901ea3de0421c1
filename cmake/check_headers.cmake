# Fails where a public header cannot be compiled alone, or reads what a user of weft need not have.
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

foreach(header IN LISTS headers)
  check_header(${header} cpp ${CXX} -std=c++20)
  if(header MATCHES "\\.h$")
    check_header(${header} c ${CC} -std=c99)
    check_header(${header} cpp ${CXX} -std=c++11)
  endif()
endforeach()
if(failed)
  message(FATAL_ERROR "${failed}")
endif()
