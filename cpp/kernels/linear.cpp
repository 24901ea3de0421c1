// Linear layer on rows.
//
//   forward    y = x W^T + b
//   backward   dx = dy W        dW += dy^T x        db += sum over rows of dy
//
//   x [R, I]   W [O, I]   b [O]   y [R, O]          R rows, I inputs, O outputs
#include "dense.hpp"
#include "gemm.hpp"
#include "pack_transposed.hpp"
#include "parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

// A block of the left operand's rows that the second-level cache keeps while all panels pass by.
constexpr int64_t block_bytes = 1 << 18;
// Rows of x and dy whose contribution to dW is one product.
constexpr int64_t chunk_rows = 256;

/// C[rows, columns] = init + A B for this thread's share: of the rows, or of the columns where there are few
/// rows.
template <class T>
void product_share(int64_t rows, int64_t columns, int64_t depth, Rows<T> a, const T* packed, Init<T> init,
                   T* c, int64_t c_row, int thread, int threads) {
  constexpr int64_t grain = tile_rows(2);
  Range my_rows{0, rows}, my_columns{0, columns};
  if (rows >= 2 * grain * threads)
    my_rows = share(rows, thread, threads, grain);
  else
    my_columns = share(columns, thread, threads, lanes<T>);
  const int64_t block = max_of(1, block_bytes / (int64_t(sizeof(T)) * max_of(depth, 1) * grain)) * grain;
  for (int64_t r = my_rows.begin; r < my_rows.end; r += block) {
    const T* start = init.data == nullptr ? nullptr : init.data + r * init.row + my_columns.begin;
    gemm<T>(min_of(block, my_rows.end - r), my_columns.end - my_columns.begin, depth,
            {a.data + r * a.row, a.row, a.col}, panels(packed + my_columns.begin * depth, depth),
            {start, init.row}, c + r * c_row + my_columns.begin, c_row);
  }
}

/// total[first, last) += sums of the columns of rows[count].
template <class T>
void add_column_sums(const T* rows, int64_t row, int64_t count, T* total, int64_t first, int64_t last) {
  for_each_vector<T>(first, last, [&](int64_t i, int64_t n) {
    Vec<T> sum = broadcast(T(0));
    for (int64_t r = 0; r < count; ++r) sum = Eigen::internal::padd(sum, load(rows + r * row + i, n));
    store(total + i, Eigen::internal::padd(load(total + i, n), sum), n);
  });
}

}  // namespace

template <class T>
int64_t linear_forward_workspace(int64_t inputs, int64_t outputs) {
  return packed_size<T>(inputs, outputs);
}

template <class T>
void linear_forward(const LinearForward<T>& p, int threads) {
  parallel(threads, [&](int thread, int team) {
    const Range columns = share(round_up(p.outputs, lanes<T>), thread, team, lanes<T>);
    pack_transposed(p.weight, p.weight_row, p.inputs, p.outputs, p.workspace, columns.begin, columns.end);
    barrier(team);
    product_share<T>(p.rows, p.outputs, p.inputs, {p.x, p.x_row, 1}, p.workspace, {p.bias, 0}, p.y, p.y_row,
                     thread, team);
  });
}

template <class T>
int64_t linear_backward_workspace(int64_t inputs, int64_t outputs) {
  return packed_size<T>(outputs, inputs) + 2 * packed_size<T>(chunk_rows, inputs);
}

template <class T>
void linear_backward(const LinearBackward<T>& p, int threads) {
  T* packed_weight = p.workspace;
  T* packed_x = p.workspace + packed_size<T>(p.outputs, p.inputs);
  parallel(threads, [&](int thread, int team) {
    const Range inputs = share(round_up(p.inputs, lanes<T>), thread, team, lanes<T>);
    const Range outputs = share(p.outputs, thread, team, lanes<T>);

    // y = x W^T   =>   dx = dy W
    if (p.dx != nullptr) {
      pack(p.weight, p.weight_row, 1, p.outputs, p.inputs, packed_weight, inputs.begin, inputs.end);
      barrier(team);
      product_share<T>(p.rows, p.inputs, p.outputs, {p.dy, p.dy_row, 1}, packed_weight, {}, p.dx, p.dx_row,
                       thread, team);
    }
    // y = x W^T + b   =>   dW += dy^T x,  db += sum of dy. Two buffers for x: a thread may be packing the
    // next chunk while others still multiply by this one.
    for (int64_t r = 0; r < p.rows; r += chunk_rows) {
      const int64_t count = min_of(chunk_rows, p.rows - r);
      const T* dy = p.dy + r * p.dy_row;
      if (p.dbias != nullptr) add_column_sums(dy, p.dy_row, count, p.dbias, outputs.begin, outputs.end);
      if (p.dweight == nullptr) continue;
      T* packed = packed_x + (r / chunk_rows % 2) * packed_size<T>(chunk_rows, p.inputs);
      pack(p.x + r * p.x_row, p.x_row, 1, count, p.inputs, packed, inputs.begin, inputs.end);
      barrier(team);
      product_share<T>(p.outputs, p.inputs, count, {dy, 1, p.dy_row}, packed, {p.dweight, p.dweight_row},
                       p.dweight, p.dweight_row, thread, team);
    }
  });
}

template int64_t linear_forward_workspace<float>(int64_t, int64_t);
template int64_t linear_forward_workspace<double>(int64_t, int64_t);
template int64_t linear_backward_workspace<float>(int64_t, int64_t);
template int64_t linear_backward_workspace<double>(int64_t, int64_t);
template void linear_forward(const LinearForward<float>&, int);
template void linear_forward(const LinearForward<double>&, int);
template void linear_backward(const LinearBackward<float>&, int);
template void linear_backward(const LinearBackward<double>&, int);

}  // namespace weft::WEFT_ISA
