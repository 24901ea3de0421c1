# The kernels, compiled once per instruction set: one object library each, in a namespace of its own.
#
# Eigen's inline functions are weak symbols: compiled with wider instructions, the linker could pick them for every
# caller and crash an older machine. Each instruction set therefore renames the whole of Eigen's namespace.

set(WEFT_FLAGS_baseline "")
set(WEFT_FLAGS_avx2 -mavx2 -mfma)
set(WEFT_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512)

set(WEFT_ISAS baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  list(APPEND WEFT_ISAS avx2 avx512)
endif()

set(WEFT_OPTIMIZE -O3)
if(WEFT_SANITIZE)  # instrumented vector code takes minutes a file to optimize further
  set(WEFT_OPTIMIZE -O1)
endif()

file(GLOB_RECURSE WEFT_KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/kernels/*.cpp)
foreach(isa IN LISTS WEFT_ISAS)
  add_library(weft_kernels_${isa} OBJECT ${WEFT_KERNELS})
  target_include_directories(weft_kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/cpp ${PROJECT_SOURCE_DIR}/cpp/include)
  target_compile_definitions(weft_kernels_${isa} PRIVATE WEFT_ISA=${isa} Eigen=Eigen_${isa} EIGEN_DONT_PARALLELIZE
                                                         NDEBUG)
  target_compile_options(weft_kernels_${isa} PRIVATE ${WEFT_FLAGS_${isa}} ${WEFT_OPTIMIZE} -fno-math-errno -fno-trapping-math
                                                     -ffp-contract=fast -fno-exceptions -fno-rtti -Wall -Wextra
                                                     -Wno-ignored-attributes -Wno-uninitialized -Wno-maybe-uninitialized)
  target_link_libraries(weft_kernels_${isa} PRIVATE weft_eigen)
  if(WEFT_SANITIZE_ISAS AND NOT isa IN_LIST WEFT_SANITIZE_ISAS)
    target_compile_options(weft_kernels_${isa} PRIVATE -fno-sanitize=all)
  endif()
  string(TOUPPER ${isa} upper)
  list(APPEND WEFT_ISA_DEFINITIONS WEFT_HAVE_${upper})
endforeach()
