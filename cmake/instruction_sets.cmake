# The instruction sets, slowest first: what CMake, the choice at run time, the symbol checks, the C++ tests and the
# benchmarks know of them. cmake/kernels.cmake says what a line may hold; CONTRIBUTING.md, how to add one.

set(WEFT_ISAS "")
set(x86_64 "x86_64|AMD64|amd64")

weft_instruction_set(baseline)
weft_instruction_set(avx2 PROCESSOR ${x86_64} FLAGS -mavx2 -mfma SUPPORTED avx2 fma)
weft_instruction_set(avx512 PROCESSOR ${x86_64}
                     FLAGS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
                     SUPPORTED avx2 fma avx512f avx512bw avx512dq avx512vl
                     NARROWER avx2)

weft_list_instruction_sets(${PROJECT_BINARY_DIR}/generated ${WEFT_ISAS})
