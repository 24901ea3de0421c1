// What the symbol gate must catch: Eigen under its own name, shared by all instruction sets.
#undef Eigen
#include <Eigen/Core>

namespace weft::WEFT_ISA {

void planted(const float* a, const float* b, float* c) {
  using namespace Eigen::internal;
  using V = packet_traits<float>::type;
  pstoreu(c, padd(ploadu<V>(a), ploadu<V>(b)));
}

}  // namespace weft::WEFT_ISA
