// This instruction set's table. Each family's file fills in its own part.
#include "kernels/table.hpp"

#include "kernels/recurrent/recurrent.hpp"
#include "kernels/simd/isa.hpp"

#define WEFT_STRINGIFY_(name) #name
#define WEFT_STRINGIFY(name) WEFT_STRINGIFY_(name)

namespace weft::WEFT_ISA {

extern const KernelTable table;
constinit const KernelTable table = {
    .isa = WEFT_STRINGIFY(WEFT_ISA),
    .f32 = {&recurrent_f32, &dense_kernels<float>, &pointwise_kernels<float>, &loss_kernels<float>,
            &optim_kernels<float>, &attention_kernels<float>, &additive_scores_kernels<float>},
    .f64 = {&recurrent_f64, &dense_kernels<double>, &pointwise_kernels<double>, &loss_kernels<double>,
            &optim_kernels<double>, &attention_kernels<double>, &additive_scores_kernels<double>}};

}  // namespace weft::WEFT_ISA
