// Linear layer on rows.
//
//   forward    y = x W^T + b
//   backward   dx = dy W        dW += dy^T x        db += sum over rows of dy
//
//   x [R, I]   W [O, I]   b [O]   y [R, O]          R rows, I inputs, O outputs
#include "kernels/dense/dense.hpp"
#include "kernels/gemm/gemm.hpp"
#include "kernels/gemm/small_m_product.hpp"
#include "kernels/gemm/weight_gradient.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {
namespace {

// A block of the packed matrix stays in the second-level cache while all rows are multiplied by it, a few
// tiles of rows at a time: more of them would spread over too many pages where rows are long.
constexpr int64_t block_bytes = tuning.block_bytes, block_depth = tuning.block_depth,
                  rows_bytes = tuning.rows_bytes, most_tiles = tuning.most_tiles;

/// Columns of a K x N matrix that are packed at once.
template <class T>
int64_t block_columns(int64_t depth, int64_t columns) {
  const int64_t fitting = block_bytes / (int64_t(sizeof(T)) * max_of(1, min_of(depth, block_depth)));
  return min_of(round_up(columns, lanes<T>), round_up(max_of(fitting, 8 * lanes<T>), 2 * lanes<T>));
}
template <class T>
int64_t block_size(int64_t depth, int64_t columns) {
  return min_of(depth, block_depth) * block_columns<T>(depth, columns);
}
/// Rows of A that are multiplied by a block at a time.
template <class T>
int64_t rows_at_a_time(int64_t depth) {
  constexpr int64_t grain = tile_rows(2);
  const int64_t fitting = rows_bytes / (int64_t(sizeof(T)) * max_of(depth, 1) * grain);
  return max_of(1, min_of(fitting, most_tiles)) * grain;
}
/// Elements of a copy of these rows.
template <class T>
int64_t copy_size(int64_t depth) {
  const int64_t deep = min_of(depth, block_depth);
  return rows_at_a_time<T>(deep) * (deep + lanes<T>);
}
/// Elements of the workspace of multiply(): a packed block for every thread, and the copies.
template <class T>
int64_t workspace_size(int64_t depth, int64_t columns, int threads) {
  return threads * (block_size<T>(depth, columns) + copy_size<T>(depth));
}

/// C[rows, columns] = start + A B by a few tiles of rows at a time.
template <class T>
void multiply_rows(Range rows, int64_t columns, int64_t depth, const Rows<T>& a, const Panels<T>& b,
                   const Epilogue<T>& epilogue, T* c, int64_t c_row, T* copy) {
  const int64_t step = rows_at_a_time<T>(depth);
  const bool copied = conflicts_in_cache<T>(a.row) && columns > 2 * lanes<T>;
  for (int64_t r = rows.begin; r < rows.end; r += step) {
    const int64_t count = min_of(step, rows.end - r);
    Rows<T> left{a.data + r * a.row, a.row, a.col};
    if (copied) {
      for (int64_t i = 0; i < count; ++i)
        __builtin_memcpy(copy + i * (depth + lanes<T>), left.data + i * a.row, size_t(depth) * sizeof(T));
      left = {copy, depth + lanes<T>, 1};
    }
    gemm<T>(count, columns, depth, left, b, epilogue.at(r, 0), c + r * c_row, c_row);
  }
}

/// A block of B: `depth` rows from k on, `columns` columns from n on.
struct Block {
  int64_t k, n, depth, columns;
};

/// C[rows, columns] = bias + A B, where pack_block(block, range, packed) packs the columns `range` of a block
/// of B.
template <class T, class PackBlock>
void multiply(int64_t rows, int64_t columns, int64_t depth, const Rows<T>& a, const T* bias, T* c,
              int64_t c_row, const PackBlock& pack_block, T* workspace, int threads) {
  constexpr int64_t grain = tile_rows(2);
  if (rows == 0) return;
  const int64_t step = block_columns<T>(depth, columns), size = block_size<T>(depth, columns);
  T* const copies = workspace + threads * size;
  const auto for_each_block = [&](Range range, const auto& body) {
    for (int64_t n = range.begin; n < range.end && !interrupted(); n += step)
      for (int64_t k = 0; k < max_of(depth, 1); k += block_depth)  // once where depth is zero, for the bias
        body(Block{k, n, min_of(block_depth, depth - k), min_of(step, range.end - n)});
  };
  const auto multiply_block = [&](const Block& b, Range some_rows, const PackedMatrix<T>& packed,
                                  int thread) {
    const Epilogue<T> epilogue = b.k > 0 ? Epilogue<T>{c, c_row} : Epilogue<T>{bias, 0};
    multiply_rows<T>(some_rows, b.columns, b.depth, {a.data + b.k * a.col, a.row, a.col}, packed.panels(),
                     epilogue.at(0, b.n), c + b.n, c_row, copies + thread * copy_size<T>(depth));
  };
  // Where rows are few, each thread has its own columns, and packs them. Else each has its own rows, and all
  // pack.
  if (rows <= columns || rows < 2 * grain * threads) {
    parallel(threads, [&](int thread, int shares) {
      for_each_block(share(columns, thread, shares, lanes<T>), [&](const Block& block) {
        const PackedMatrix<T> packed{workspace + thread * size, block.depth, block.columns};
        pack_block(block, Range{0, round_up(block.columns, lanes<T>)}, packed);
        multiply_block(block, {0, rows}, packed, thread);
      });
    });
    return;
  }
  for_each_block({0, columns}, [&](const Block& block) {
    const PackedMatrix<T> packed{workspace, block.depth, block.columns};
    const int64_t padded = round_up(block.columns, lanes<T>);
    parallel(threads, [&](int thread, int shares) {
      pack_block(block, share(padded, thread, shares, lanes<T>), packed);
    });
    parallel(threads, [&](int thread, int shares) {
      multiply_block(block, share(rows, thread, shares, grain), packed, thread);
    });
  });
}

}  // namespace

template <class T>
size_t linear_forward_workspace(int64_t inputs, int64_t outputs, int threads) {
  return sizeof(T) *
         size_t(max_of(workspace_size<T>(inputs, outputs, threads),
                       threads * transposed_small_m_product_workspace<T>(min_of(inputs, block_depth))));
}

template <class T>
void linear_forward(const LinearForward<T>& p, int threads) {
  const int64_t rows = p.x.shape[0], inputs = p.x.shape[1], outputs = p.weight.shape[0];
  const int64_t weight_row = p.weight.stride[0];
  T* const workspace = static_cast<T*>(p.workspace);
  const auto pack_block = [&](const Block& b, Range range, const PackedMatrix<T>& packed) {
    packed.pack_transposed(p.weight.row(b.n + range.begin) + b.k, weight_row, range, b.columns - range.begin);
  };
  const bool few = rows > 0 && rows <= few_rows;
  const bool some = rows > few_rows && fills_vectors<T>(rows) && !conflicts_in_cache<T>(weight_row) &&
                    inputs <= block_depth;
  if (!few && !some)
    return multiply<T>(rows, outputs, inputs, {p.x.data, p.x.stride[0], 1}, p.bias.data, p.y.data,
                       p.y.stride[0], pack_block, workspace, threads);
  parallel(threads, [&](int thread, int shares) {
    const Range mine = share(outputs, thread, shares, lanes<T>);
    if (few)
      small_m_product<T>(rows, mine, inputs, p.x.data, p.x.stride[0], p.weight.data, weight_row,
                         {p.bias.data, 0}, p.y.data, p.y.stride[0]);
    else
      transposed_small_m_product<T>(rows, mine, inputs, p.x.data, p.x.stride[0], p.weight.data, weight_row,
                                    p.bias.data, p.y.data, p.y.stride[0],
                                    workspace + thread * transposed_small_m_product_workspace<T>(inputs));
  });
}

template <class T>
size_t linear_backward_workspace(int64_t inputs, int64_t outputs, int threads) {
  return sizeof(T) *
         size_t(workspace_size<T>(outputs, inputs, threads) + threads * WeightGradient<T>::workspace(inputs));
}

template <class T>
void linear_backward(const LinearBackward<T>& p, int threads) {
  const int64_t rows = p.x.shape[0], inputs = p.x.shape[1], outputs = p.weight.shape[0];
  T* const workspace = static_cast<T*>(p.workspace);
  const auto pack_block = [&](const Block& b, Range range, const PackedMatrix<T>& packed) {
    packed.pack_rows(p.weight.row(b.k) + b.n + range.begin, p.weight.stride[0], range,
                     b.columns - range.begin);
  };
  const WeightGradient<T> gradient = {.rows = rows,
                                      .inputs = inputs,
                                      .outputs = outputs,
                                      .x = p.x.data,
                                      .x_row = p.x.stride[0],
                                      .dy = p.dy.data,
                                      .dy_row = p.dy.stride[0],
                                      .dweight = p.dweight.data,
                                      .dweight_row = p.dweight.stride[0],
                                      .dbias = p.dbias.data};
  T* gradient_workspace = workspace + workspace_size<T>(outputs, inputs, threads);
  // y = x W^T + b   =>   dx = dy W
  const Rows<T> dy{p.dy.data, p.dy.stride[0], 1};
  const bool in_place = rows <= 2 * tile_rows(2) && inputs % lanes<T> == 0;  // W's rows are panels already
  if (p.dx && !in_place)
    multiply<T>(rows, inputs, outputs, dy, nullptr, p.dx.data, p.dx.stride[0], pack_block, workspace,
                threads);
  parallel(threads, [&](int thread, int shares) {
    if (p.dx && in_place) {
      const Range mine = share(inputs, thread, shares, lanes<T>);
      gemm<T>(rows, mine.end - mine.begin, outputs, dy,
              {p.weight.data + mine.begin, p.weight.stride[0], lanes<T>}, {}, p.dx.data + mine.begin,
              p.dx.stride[0]);
    }
    //                 =>   dW += dy^T x,  db += sum over rows of dy
    gradient.add(gradient_workspace + thread * gradient.workspace(inputs), thread, shares);
  });
}

template size_t linear_forward_workspace<float>(int64_t, int64_t, int);
template size_t linear_forward_workspace<double>(int64_t, int64_t, int);
template size_t linear_backward_workspace<float>(int64_t, int64_t, int);
template size_t linear_backward_workspace<double>(int64_t, int64_t, int);
template void linear_forward(const LinearForward<float>&, int);
template void linear_forward(const LinearForward<double>&, int);
template void linear_backward(const LinearBackward<float>&, int);
template void linear_backward(const LinearBackward<double>&, int);

}  // namespace weft::WEFT_ISA
