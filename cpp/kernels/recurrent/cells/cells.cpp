// Every cell's maths, in both precisions.
#include "kernels/recurrent/cells/list.hpp"

namespace weft::WEFT_ISA {
namespace {

template <class T, class Cell>
constexpr CellMaths<T> maths() {
  constexpr int last = Cell::info.stages - 1;
  CellMaths<T> m = {{&Cell::template forward<0, T>, &Cell::template forward<last, T>},
                    {&Cell::template backward<0, T>, &Cell::template backward<last, T>},
                    nullptr};
  if constexpr (Cell::info.extras > 0) m.extra_gradient = &Cell::template extra_gradient<T>;
  return m;
}

template <class T, class List>
struct Maths;
template <class T, class... Cell>
struct Maths<T, CellList<Cell...>> {
  static constexpr CellMaths<T> of[] = {maths<T, Cell>()...};
};

}  // namespace

const CellInfo& cell_info(int place) { return Cells::infos[place]; }

template <class T>
const CellMaths<T>& cell_maths(int place) {
  return Maths<T, Cells>::of[place];
}
template const CellMaths<float>& cell_maths<float>(int);
template const CellMaths<double>& cell_maths<double>(int);

}  // namespace weft::WEFT_ISA
