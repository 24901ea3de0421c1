// Every cell through the sequence driver, in both precisions.
#include "kernels/recurrent/recurrent.hpp"

#include "kernels/recurrent/cells/list.hpp"
#include "kernels/recurrent/sequence_backward.hpp"
#include "kernels/recurrent/sequence_forward.hpp"

namespace weft::WEFT_ISA {
namespace {

template <class T, class Cell>
RecurrentMemory memory(const RecurrentProblem<T>& p, bool training) {
  const Geometry<T, Cell> g(p);
  const size_t threads = size_t(g.grid.threads());
  RecurrentMemory bytes{};
  Arena saved(nullptr), forward(nullptr), forward_own(nullptr), backward(nullptr), backward_own(nullptr);
  if (training) {
    Saved<T, Cell>::take(saved, g);
    BackwardWorkspace<T, Cell>::take(backward, g);
    BackwardWorkspace<T, Cell>::Own::take(backward_own, g);
    bytes.saved = saved.used();
    bytes.backward_workspace = backward.used() + threads * backward_own.used();
  }
  ForwardWorkspace<T, Cell>::take(forward, g, training && p.checkpoint_every == 0);
  SequenceForward<T, Cell>::Scratch::take(forward_own, g);
  bytes.forward_workspace = forward.used() + threads * forward_own.used();
  return bytes;
}

template <class T, class Cell>
constexpr RecurrentCell<T> entry() {
  return {Cell::name,
          Cell::gates,
          Cell::extras,
          Cell::has_c,
          Cell::takes_projection,
          &memory<T, Cell>,
          &sequence_forward<T, Cell>,
          &sequence_backward<T, Cell>};
}

template <class T, class List>
struct Entries;
template <class T, class... Cell>
struct Entries<T, CellList<Cell...>> {
  static constexpr RecurrentCell<T> cells[] = {entry<T, Cell>()...};
};

}  // namespace

constinit const RecurrentKernels<float> recurrent_f32 = {Entries<float, Cells>::cells, Cells::count};
constinit const RecurrentKernels<double> recurrent_f64 = {Entries<double, Cells>::cells, Cells::count};

}  // namespace weft::WEFT_ISA
