// Linear layer on rows.
//
//   forward    y = x W^T + b
//   backward   dx = dy W        dW += dy^T x        db += sum over rows of dy
//
//   x [R, I]   W [O, I]   b [O]   y [R, O]          R rows, I inputs, O outputs
#include "dense.hpp"
#include "gemm.hpp"
#include "pack_rows.hpp"
#include "pack_transposed.hpp"
#include "parallel.hpp"
#include "weight_gradient.hpp"

namespace weft::WEFT_ISA {
namespace {

// A block of the packed matrix's columns stays in the second-level cache while all rows meet it, a few tiles
// of rows at a time: more of them would spread over too many pages where rows are long.
constexpr int64_t columns_bytes = 1 << 19, rows_bytes = 1 << 16, most_tiles = 4;

/// Columns of a K x N matrix that are packed at once.
template <class T>
int64_t block_columns(int64_t depth, int64_t columns) {
  const int64_t fitting = columns_bytes / (int64_t(sizeof(T)) * max_of(depth, 1));
  return min_of(round_up(columns, lanes<T>), round_up(max_of(fitting, 8 * lanes<T>), 2 * lanes<T>));
}
/// Elements of the workspace of multiply(): a packed block for every thread, or two that all share.
template <class T>
int64_t workspace_size(int64_t depth, int64_t columns, int threads) {
  return max_of(2, threads) * depth * block_columns<T>(depth, columns);
}

/// C[rows, columns] = bias + A B by a few tiles of rows at a time.
template <class T>
void multiply_rows(Range rows, int64_t columns, int64_t depth, Rows<T> a, const T* packed, const T* bias,
                   T* c, int64_t c_row) {
  constexpr int64_t grain = tile_rows(2);
  const int64_t fitting = rows_bytes / (int64_t(sizeof(T)) * max_of(depth, 1) * grain);
  const int64_t step = max_of(1, min_of(fitting, most_tiles)) * grain;
  for (int64_t r = rows.begin; r < rows.end; r += step)
    gemm<T>(min_of(step, rows.end - r), columns, depth, {a.data + r * a.row, a.row, a.col},
            panels(packed, depth), {bias, 0}, c + r * c_row, c_row);
}

/// C[rows, columns] = bias + A B, where pack_block(first, count, range, packed) packs the panels `range` of
/// `count` columns of B from `first` on.
template <class T, class PackBlock>
void multiply(int64_t rows, int64_t columns, int64_t depth, Rows<T> a, const T* bias, T* c, int64_t c_row,
              const PackBlock& pack_block, T* workspace, int thread, int threads) {
  constexpr int64_t grain = tile_rows(2);
  const int64_t step = block_columns<T>(depth, columns);
  const auto bias_at = [&](int64_t column) { return bias == nullptr ? nullptr : bias + column; };
  if (rows <= columns || rows < 2 * grain * threads) {  // each thread has its own columns, and packs them
    const Range mine = share(columns, thread, threads, lanes<T>);
    T* packed = workspace + thread * depth * step;
    for (int64_t first = mine.begin; first < mine.end; first += step) {
      const int64_t count = min_of(step, mine.end - first);
      pack_block(first, count, Range{0, round_up(count, lanes<T>)}, packed);
      multiply_rows<T>({0, rows}, count, depth, a, packed, bias_at(first), c + first, c_row);
    }
    return;
  }
  const Range mine = share(rows, thread, threads, grain);
  for (int64_t first = 0; first < columns; first += step) {
    const int64_t count = min_of(step, columns - first);
    // Two buffers: a thread may be packing the next block while others still multiply by this one.
    T* packed = workspace + (first / step % 2) * depth * step;
    pack_block(first, count, share(round_up(count, lanes<T>), thread, threads, lanes<T>), packed);
    barrier(threads);
    multiply_rows<T>(mine, count, depth, a, packed, bias_at(first), c + first, c_row);
  }
}

}  // namespace

template <class T>
int64_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads) {
  return workspace_size<T>(inputs, outputs, threads);
}

template <class T>
void linear_forward(const LinearForward<T>& p, int threads) {
  const auto pack_block = [&](int64_t first, int64_t count, Range range, T* packed) {
    pack_transposed(p.weight + first * p.weight_row, p.weight_row, p.inputs, count, packed, range.begin,
                    range.end);
  };
  parallel(threads, [&](int thread, int team) {
    multiply<T>(p.rows, p.outputs, p.inputs, {p.x, p.x_row, 1}, p.bias, p.y, p.y_row, pack_block, p.workspace,
                thread, team);
  });
}

template <class T>
int64_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads) {
  return workspace_size<T>(outputs, inputs, threads) +
         threads * WeightGradient<T>::workspace(inputs, outputs);
}

template <class T>
void linear_backward(const LinearBackward<T>& p, int threads) {
  const auto pack_block = [&](int64_t first, int64_t count, Range range, T* packed) {
    pack_rows(p.weight + first, p.weight_row, p.outputs, count, packed, range.begin, range.end);
  };
  const WeightGradient<T> gradient = {.rows = p.rows,
                                      .inputs = p.inputs,
                                      .outputs = p.outputs,
                                      .x = p.x,
                                      .x_row = p.x_row,
                                      .dy = p.dy,
                                      .dy_row = p.dy_row,
                                      .dweight = p.dweight,
                                      .dweight_row = p.dweight_row,
                                      .dbias = p.dbias};
  T* gradient_workspace = p.workspace + workspace_size<T>(p.outputs, p.inputs, threads);
  parallel(threads, [&](int thread, int team) {
    // y = x W^T + b   =>   dx = dy W
    if (p.dx != nullptr)
      multiply<T>(p.rows, p.inputs, p.outputs, {p.dy, p.dy_row, 1}, nullptr, p.dx, p.dx_row, pack_block,
                  p.workspace, thread, team);
    //                 =>   dW += dy^T x,  db += sum over rows of dy
    gradient.add(gradient_workspace + thread * gradient.workspace(p.inputs, p.outputs), thread, team);
  });
}

template int64_t linear_forward_workspace<float>(int64_t, int64_t, int);
template int64_t linear_forward_workspace<double>(int64_t, int64_t, int);
template int64_t linear_backward_workspace<float>(int64_t, int64_t, int);
template int64_t linear_backward_workspace<double>(int64_t, int64_t, int);
template void linear_forward(const LinearForward<float>&, int);
template void linear_forward(const LinearForward<double>&, int);
template void linear_backward(const LinearBackward<float>&, int);
template void linear_backward(const LinearBackward<double>&, int);

}  // namespace weft::WEFT_ISA
