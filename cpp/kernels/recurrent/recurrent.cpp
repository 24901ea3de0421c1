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
  ForwardWorkspace<T>::take(forward, g, training && g.arguments.checkpoint_every == 0);
  ForwardScratch<T>::take(forward_own, g);
  bytes.forward_workspace = forward.used() + threads * forward_own.used();
  return bytes;
}

/// At once, where each is worth a thread; else one after the other.
template <class T, class Job, void (*Run)(const Job&, const Geometry<T>&)>
void run_jobs(const Job* jobs, int count) {
  bool large = count > 1;
  for (int j = 0; j < count; ++j) large = large && Geometry<T>::cost_of(jobs[j].problem).is_large();
  const auto run_one = [&](int j) {
    const RecurrentProblem<T>& p = jobs[j].problem;
    Run(jobs[j], Geometry<T>(p, worthwhile_shares(p.threads)));
  };
  if (large) return for_shares(count, run_one);
  for (int j = 0; j < count; ++j) run_one(j);
}

template <class T>
constexpr RecurrentKernels<T> kernels() {
  return {Cells::infos, Cells::count, &memory<T>, &run_jobs<T, ForwardJob<T>, &forward_one<T>>,
          &run_jobs<T, BackwardJob<T>, &backward_one<T>>};
}

}  // namespace

constinit const RecurrentKernels<float> recurrent_f32 = kernels<float>();
constinit const RecurrentKernels<double> recurrent_f64 = kernels<double>();

}  // namespace weft::WEFT_ISA
