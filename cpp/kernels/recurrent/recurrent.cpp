// The sequence driver, in both precisions.
#include "kernels/recurrent/recurrent.hpp"

#include "kernels/recurrent/cells/list.hpp"
#include "kernels/recurrent/sequence_backward.hpp"
#include "kernels/recurrent/sequence_forward.hpp"

namespace weft::WEFT_ISA {
namespace {

template <class T>
RecurrentMemory memory(const RecurrentProblem<T>& p, bool training) {
  const Geometry<T> g(p);
  const size_t threads = size_t(g.grid.threads());
  RecurrentMemory bytes{};
  Arena saved(nullptr), forward(nullptr), forward_own(nullptr), backward(nullptr), backward_own(nullptr);
  if (training) {
    Saved<T>::take(saved, g);
    BackwardWorkspace<T>::take(backward, g);
    BackwardWorkspace<T>::Own::take(backward_own, g);
    bytes.saved = saved.used();
    bytes.backward_workspace = backward.used() + threads * backward_own.used();
  }
  ForwardWorkspace<T>::take(forward, g, training && p.checkpoint_every == 0);
  SequenceForward<T>::Scratch::take(forward_own, g);
  bytes.forward_workspace = forward.used() + threads * forward_own.used();
  return bytes;
}

template <class T>
constexpr RecurrentKernels<T> kernels() {
  return {Cells::infos, Cells::count, &memory<T>, &sequence_forward<T>, &sequence_backward<T>};
}

}  // namespace

constinit const RecurrentKernels<float> recurrent_f32 = kernels<float>();
constinit const RecurrentKernels<double> recurrent_f64 = kernels<double>();

}  // namespace weft::WEFT_ISA
