# Fails where an instruction set's objects could leak into another machine's program:
#
#   - a weak symbol outside weft::<isa> and Eigen_<isa>: of several copies the linker keeps one, for every caller, and
#     it may be the copy with the widest instructions;
#   - anything that runs at load, before the processor has been asked what it can do.
#
#   cmake -DISA=<isa> "-DOBJECTS=a.o;b.o" -DNM=<nm> -DOBJDUMP=<objdump> -P symbol_gate.cmake

foreach(required ISA OBJECTS NM OBJDUMP)
  if(NOT ${required})
    message(FATAL_ERROR "symbol gate: ${required} is not given")
  endif()
endforeach()

# A mangled name spells its namespaces with their lengths: _ZN4weft4avx2... is weft::avx2::...; _ZNK is a const member,
# _ZZN a thing local to a function, _ZTV, _ZTS, _ZTI and _ZGVN what the compiler adds to a class or a static variable.
string(LENGTH "${ISA}" isa_length)
string(LENGTH "Eigen_${ISA}" eigen_length)
set(own "^_Z(Z|GV|TV|TS|TI)*N[rVKRO]*(4weft${isa_length}${ISA}|${eigen_length}Eigen_${ISA})")

set(violations "")
foreach(object IN LISTS OBJECTS)
  get_filename_component(name "${object}" NAME)
  execute_process(COMMAND "${NM}" --defined-only "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${OBJDUMP}" -h "${object}" OUTPUT_VARIABLE sections COMMAND_ERROR_IS_FATAL ANY)

  string(REGEX MATCHALL "[0-9a-f]+ [A-Za-z] [^\n]+" lines "${symbols}")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[0-9a-f]+ ([A-Za-z]) (.+)$" "\\1" type "${line}")
    string(REGEX REPLACE "^[0-9a-f]+ ([A-Za-z]) (.+)$" "\\2" symbol "${line}")
    if(type MATCHES "^[WwVvu]$" AND NOT symbol MATCHES "${own}")
      list(APPEND violations "${name}: weak symbol outside weft::${ISA} and Eigen_${ISA}: ${symbol}")
    endif()
    if(symbol MATCHES "_GLOBAL__(sub_)?[ID]")
      list(APPEND violations "${name}: runs at load: ${symbol}")
    endif()
  endforeach()
  string(REGEX MATCHALL "\\.(init_array|preinit_array|fini_array|ctors|dtors)[^ \n]*" load_sections "${sections}")
  foreach(section IN LISTS load_sections)
    list(APPEND violations "${name}: runs at load: section ${section}")
  endforeach()
endforeach()

if(violations)
  list(JOIN violations "\n  " text)
  message(FATAL_ERROR "symbol gate of ${ISA}:\n  ${text}")
endif()
list(LENGTH OBJECTS count)
message(STATUS "symbol gate of ${ISA}: ${count} objects are clean")
