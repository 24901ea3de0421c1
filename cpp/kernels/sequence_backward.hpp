// The sequence driver, backward: the forward's steps in reverse, chunk by chunk. With checkpoints a segment's
// forward is run again first.
//
//   delta_t  = dL/d(pre-activations), from the cell           dh_{t-1} = m W_hh' delta_t + what passes the
//   cell directly dx_t     = W_ih' delta_t                                  dW_ih += sum_t delta_t x_t' db +=
//   sum_t delta_t dW_hh   += sum_t delta_t (m h_{t-1})'                     dW_proj += sum_t dh_t outputs_t'
//
// A chunk has two phases: in the first each thread walks its own rows through time; in the second the threads
// share the chunk's products, dx by rows and weight gradients by rows of the weights. Each element is summed
// by one thread in the order of the steps, so its bits do not depend on how many there are.
#pragma once

#include "sequence_forward.hpp"

namespace weft::WEFT_ISA {

/// Transposed weights, packed for the products that take gradients back.
template <class T, class Cell>
struct BackwardWeights {
  T *w_ih, *w_hh[Cell::stages], *w_proj = nullptr;

  static BackwardWeights take(Arena& arena, const Geometry<T, Cell>& g) {
    BackwardWeights w;
    w.w_ih = arena.take<T>(Cell::gates * g.hidden * g.input);
    for (int s = 0; s < Cell::stages; ++s)
      w.w_hh[s] = arena.take<T>(Cell::stage_gates[s] * g.hidden * g.state);
    if (g.projected()) w.w_proj = arena.take<T>(g.problem.state * g.hidden);
    return w;
  }

  void pack(const Geometry<T, Cell>& g, int thread, int threads) {
    const RecurrentProblem<T>& p = g.problem;
    constexpr int64_t width = lanes<T>;
    pack_gates(g, p.w_ih, p.w_ih_row, p.input, Cell::input_gate, Cell::gates, w_ih,
               share(g.input, thread, threads, width));
    for (int s = 0, slot = 0; s < Cell::stages; slot += Cell::stage_gates[s++])
      pack_gates(g, p.w_hh, p.w_hh_row, p.state, Cell::hidden_gate + slot, Cell::stage_gates[s], w_hh[s],
                 share(g.state, thread, threads, width));
    if (g.projected()) {
      const Range columns = share(g.hidden, thread, threads, width);
      WEFT_ISA::pack(p.w_proj, p.w_proj_row, 1, p.state, p.hidden, w_proj, columns.begin, columns.end);
    }
  }

 private:
  /// Depth runs over (slot, unit), each slot padded to whole vectors with zeros.
  static void pack_gates(const Geometry<T, Cell>& g, const T* w, int64_t w_row, int64_t columns,
                         const int* gate_of, int gates, T* packed, Range range) {
    constexpr int64_t width = lanes<T>;
    const int64_t hidden = g.problem.hidden, depth = gates * g.hidden;
    for (int slot = 0; slot < gates; ++slot) {
      T* corner = packed + slot * g.hidden * width;
      WEFT_ISA::pack(w + gate_of[slot] * hidden * w_row, w_row, 1, hidden, columns, corner, depth * width,
                     range.begin, range.end);
      for (int64_t n = range.begin; n < range.end; n += width)
        zero_row(corner + n * depth + hidden * width, (g.hidden - hidden) * width);
    }
  }
};

template <class T, class Cell>
struct SequenceBackward {
  using G = Geometry<T, Cell>;

  /// Shared by all threads: a chunk's deltas and the rows they are multiplied with.
  struct Chunk {
    T *slots, *inputs, *operands, *inner, *d_outputs, *dx, *dextra;

    static Chunk take(Arena& arena, const G& g) {
      const int64_t rows = g.largest_chunk();
      Chunk c;
      c.slots = arena.take<T>(rows * g.slots_row + lanes<T>);  // gemm_transposed reads past the end
      c.inputs = arena.take<T>(rows * g.input_row);
      c.operands = arena.take<T>(rows * g.h_row);
      c.inner = Cell::stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
      c.d_outputs = g.projected() ? arena.take<T>(rows * g.h_row + lanes<T>) : nullptr;
      c.dx = arena.take<T>(rows * g.input_row);
      c.dextra = Cell::extras ? arena.take<T>(Cell::extras * g.hidden) : nullptr;
      return c;
    }
  };
  /// The gradient of the state, of one thread's rows.
  struct Scratch {
    T *dh, *dc, *direct, *d_cell, *d_inner, *packed;

    static Scratch take(Arena& arena, const G& g) {
      const int64_t rows = g.problem.batch;
      Scratch s;
      s.dh = arena.take<T>(rows * g.h_row);
      s.dc = Cell::has_c ? arena.take<T>(rows * g.c_row) : nullptr;
      s.direct = arena.take<T>(rows * g.h_row);
      s.d_cell = g.projected() ? arena.take<T>(rows * g.c_row) : nullptr;
      s.d_inner = Cell::stages > 1 ? arena.take<T>(rows * g.h_row) : nullptr;
      s.packed = arena.take<T>(transposed_size<T>(max_of(g.hidden, g.state)));
      return s;
    }
  };

  const G& g;
  const RecurrentProblem<T>& p;
  const RecurrentGradients<T>& grads;
  const BackwardWeights<T, Cell>& weights;
  const T* extra;  ///< padded
  Chunk chunk;
  Scratch own;
  Team team;

  /// Steps [first, last) of a segment whose states are in `states`.
  void run(const States<T>& states, int64_t first, int64_t last) const {
    for (int64_t end = last; end > first;) {
      int64_t begin = end - 1;
      while (begin > first && g.row_steps(begin - 1, end) <= chunk_rows) --begin;
      for (int64_t step = end; step-- > begin;) one_step(states, step, begin);
      barrier(team.threads);
      products(states, begin, end);
      barrier(team.threads);
      end = begin;
    }
  }

  void one_step(const States<T>& states, int64_t step, int64_t chunk_first) const {
    const int64_t rows = team.rows(g.active(step)), stride = team.threads;
    const int64_t in_chunk = g.row_steps(chunk_first, step) + team.thread;
    const int64_t before = states.block(g, step) + team.thread, at = states.row(g, step) + team.thread;
    const T* h_prev = states.h + before * g.h_row;
    gather(step, rows, h_prev, in_chunk);

    for (int64_t i = 0; i < rows; ++i) begin_row(step, i);
    if (Cell::has_direct || p.zoneout_mask) split_direct(step, rows);

    T* slots = chunk.slots + in_chunk * g.slots_row;
    const int64_t slots_stride = stride * g.slots_row;
    const T* d_cell = own.dh;
    int64_t d_cell_row = g.h_row;
    if (g.projected()) {  // h = W_proj outputs
      for (int64_t i = 0; i < rows; ++i)
        copy_row(chunk.d_outputs + (in_chunk + i * stride) * g.h_row, own.dh + i * g.h_row, g.state);
      gemm<T>(rows, g.hidden, p.state, {own.dh, g.h_row, 1}, panels(weights.w_proj, p.state), {}, own.d_cell,
              g.c_row);
      d_cell = own.d_cell;
      d_cell_row = g.c_row;
    }
    BackwardTile<T> tile = tile_at(states, before, at, in_chunk, rows, stride);
    tile.dh = {d_cell, d_cell_row};
    tile.dc = {own.dc, g.c_row};
    tile.direct = {own.direct, g.h_row};

    const bool to_direct = Cell::has_direct || p.zoneout_mask;
    Init<T> start{};
    if constexpr (Cell::stages > 1) {
      Cell::template backward<1, T>(tile);
      constexpr int slot = Cell::hidden_slot + Cell::stage_gates[0];
      gemm<T>(rows, g.state, Cell::stage_gates[1] * g.hidden, {slots + slot * g.hidden, slots_stride, 1},
              panels(weights.w_hh[1], Cell::stage_gates[1] * g.hidden), {}, own.d_inner, g.h_row);
      tile.d_inner = {own.d_inner, g.h_row};
      tile.d_operand = {own.dh, g.h_row};
      Cell::template backward<0, T>(tile);
      start = {own.dh, g.h_row};
    } else {
      Cell::template backward<0, T>(tile);
      if (to_direct && !p.recurrent_mask) start = {own.direct, g.h_row};
    }
    constexpr int64_t first_gates = Cell::stage_gates[0];
    gemm<T>(rows, g.state, first_gates * g.hidden, {slots + Cell::hidden_slot * g.hidden, slots_stride, 1},
            panels(weights.w_hh[0], first_gates * g.hidden), start, own.dh, g.h_row);
    if (p.recurrent_mask || (to_direct && start.data != own.direct)) finish_operand(step, rows, to_direct);
    if (p.resets) reset(step, rows);
  }

  /// This chunk's rows of x and of the state as it entered the product.
  void gather(int64_t step, int64_t rows, const T* h_prev, int64_t in_chunk) const {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = team.sorted(i), b = p.plan.order[j], t = g.time_of(step, j),
                    to = in_chunk + i * team.threads;
      copy_row_padded(chunk.inputs + to * g.input_row, p.x + b * p.x_batch + t * p.x_time, p.input, g.input);
      T* operand = chunk.operands + to * g.h_row;
      copy_row(operand, h_prev + i * team.threads * g.h_row, g.state);
      if (!p.recurrent_mask) continue;
      const T* mask = p.recurrent_mask + b * p.recurrent_mask_batch + t * p.recurrent_mask_time;
      for (int64_t k = 0; k < p.state; ++k) operand[k] *= mask[k];
    }
  }

  /// dh += dy; where the row's last step is this one, its gradients begin as those of the final states.
  void begin_row(int64_t step, int64_t i) const {
    const int64_t j = team.sorted(i), b = p.plan.order[j];
    T* dh = own.dh + i * g.h_row;
    if (step + 1 == p.plan.length[j]) begin_state(i, b);
    if (grads.dy == nullptr) return;
    const T* dy = grads.dy + b * grads.dy_batch + g.time_of(step, j) * grads.dy_time;
    for_each_vector<T>(0, p.state,
                       [&](int64_t k, int64_t n) { store(dh + k, load(dh + k) + load(dy + k, n)); });
  }
  void begin_state(int64_t i, int64_t b) const {
    T* dh = own.dh + i * g.h_row;
    if (grads.dh_n)
      copy_row_padded(dh, grads.dh_n + b * grads.dh_n_row, p.state, g.state);
    else
      zero_row(dh, g.state);
    if constexpr (Cell::has_c) {
      T* dc = own.dc + i * g.c_row;
      if (grads.dc_n)
        copy_row_padded(dc, grads.dc_n + b * grads.dc_n_row, p.hidden, g.hidden);
      else
        zero_row(dc, g.hidden);
    }
  }

  /// h = z h_prev + (1 - z) h'  =>  direct = z dh, dh' = (1 - z) dh; without zoneout direct begins at zero.
  void split_direct(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * g.h_row, *direct = own.direct + i * g.h_row;
      zero_row(direct, g.state);
      if (!p.zoneout_mask) continue;
      const int64_t j = team.sorted(i);
      const T* mask =
          p.zoneout_mask + p.plan.order[j] * p.zoneout_batch + g.time_of(step, j) * p.zoneout_time;
      for (int64_t k = 0; k < p.state; ++k) {
        direct[k] = mask[k] * dh[k];
        dh[k] *= T(1) - mask[k];
      }
    }
  }

  /// dh_prev = m d(operand) + direct
  void finish_operand(int64_t step, int64_t rows, bool to_direct) const {
    for (int64_t i = 0; i < rows; ++i) {
      T *dh = own.dh + i * g.h_row, *direct = own.direct + i * g.h_row;
      if (p.recurrent_mask) {
        const int64_t j = team.sorted(i);
        const T* mask = p.recurrent_mask + p.plan.order[j] * p.recurrent_mask_batch +
                        g.time_of(step, j) * p.recurrent_mask_time;
        for (int64_t k = 0; k < p.state; ++k) dh[k] *= mask[k];
      }
      if (to_direct)
        for (int64_t k = 0; k < p.state; ++k) dh[k] += direct[k];
    }
  }

  void reset(int64_t step, int64_t rows) const {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = team.sorted(i);
      if (!p.resets[p.plan.order[j] * p.resets_batch + g.time_of(step, j) * p.resets_time]) continue;
      zero_row(own.dh + i * g.h_row, g.state);
      if constexpr (Cell::has_c) zero_row(own.dc + i * g.c_row, g.hidden);
    }
  }

  BackwardTile<T> tile_at(const States<T>& states, int64_t before, int64_t at, int64_t in_chunk, int64_t rows,
                          int64_t stride) const {
    BackwardTile<T> tile{};
    tile.rows = rows;
    tile.units = g.hidden;
    tile.saved = {states.saved + at * g.saved_row, stride * g.saved_row, g.hidden};
    tile.extra = {extra, 0, g.hidden};
    tile.h_prev = {states.h + before * g.h_row, stride * g.h_row};
    tile.operand = {chunk.operands + in_chunk * g.h_row, stride * g.h_row};
    tile.deltas = {chunk.slots + in_chunk * g.slots_row, stride * g.slots_row, g.hidden};
    if constexpr (Cell::has_c) tile.c_prev = {states.c + before * g.c_row, stride * g.c_row};
    return tile;
  }

  /// The chunk's products: dx by rows, weight gradients by rows of the weights.
  void products(const States<T>& states, int64_t begin, int64_t end) const {
    const int64_t rows = g.row_steps(begin, end);
    if (grads.dx) input_gradient(begin, end, share(rows, team.thread, team.threads));
    for (int q = 0; q < Cell::gates; ++q) {
      const Range units = share(p.hidden, team.thread, team.threads);
      const int64_t count = units.end - units.begin;
      const int64_t in = Cell::input_gate[q] * p.hidden + units.begin;
      const T* in_deltas = chunk.slots + (Cell::input_slot + q) * g.hidden + units.begin;
      T* dw_ih = grads.dw_ih + in * grads.dw_ih_row;
      gemm_transposed<T>(count, p.input, rows, in_deltas, g.slots_row, {chunk.inputs, g.input_row, lanes<T>},
                         dw_ih, grads.dw_ih_row, own.packed);
      if (grads.db_ih) add_columns(grads.db_ih + in, in_deltas, count, rows);

      const int64_t hid = Cell::hidden_gate[q] * p.hidden + units.begin;
      const T* hid_deltas = chunk.slots + (Cell::hidden_slot + q) * g.hidden + units.begin;
      T* dw_hh = grads.dw_hh + hid * grads.dw_hh_row;
      const bool on_inner = Cell::stages > 1 && q >= Cell::stage_gates[0];
      if (on_inner) fill_inner(states, begin, end);
      gemm_transposed<T>(count, p.state, rows, hid_deltas, g.slots_row,
                         {on_inner ? chunk.inner : chunk.operands, g.h_row, lanes<T>}, dw_hh, grads.dw_hh_row,
                         own.packed);
      if (grads.db_hh) add_columns(grads.db_hh + hid, hid_deltas, count, rows);
    }
    if (g.projected()) {
      const Range out = share(p.state, team.thread, team.threads);
      T* dw_proj = grads.dw_proj + out.begin * grads.dw_proj_row;
      gemm_transposed<T>(out.end - out.begin, p.hidden, rows, chunk.d_outputs + out.begin, g.h_row,
                         {states.outputs + states.row(g, begin) * g.outputs_row, g.outputs_row, lanes<T>},
                         dw_proj, grads.dw_proj_row, own.packed);
    }
    if constexpr (Cell::extras > 0) {
      const Range units = share(g.hidden, team.thread, team.threads, lanes<T>);
      for (int64_t step = begin; step < end; ++step) {
        BackwardTile<T> tile = tile_at(states, states.block(g, step), states.row(g, step),
                                       g.row_steps(begin, step), g.active(step), 1);
        tile.units = units.end - units.begin;
        tile.saved.data += units.begin;
        tile.c_prev.data += units.begin;
        tile.deltas.data += units.begin;
        Cell::template extra_gradient<T>(tile, chunk.dextra + units.begin, g.hidden);
      }
    }
  }

  void input_gradient(int64_t begin, int64_t end, Range rows) const {
    const int64_t depth = Cell::gates * g.hidden;
    gemm<T>(rows.end - rows.begin, p.input, depth,
            {chunk.slots + rows.begin * g.slots_row + Cell::input_slot * g.hidden, g.slots_row, 1},
            panels(weights.w_ih, depth), {}, chunk.dx + rows.begin * g.input_row, g.input_row);
    int64_t row = 0;
    for (int64_t step = begin; step < end; ++step)
      for (int64_t j = 0; j < g.active(step); ++j, ++row)
        if (row >= rows.begin && row < rows.end)
          copy_row(grads.dx + p.plan.order[j] * grads.dx_batch + g.time_of(step, j) * grads.dx_time,
                   chunk.dx + row * g.input_row, p.input);
  }

  /// The second stage's operand, inner = r operand, of all rows of the chunk. Every thread of the region
  /// comes here.
  void fill_inner(const States<T>& states, int64_t begin, int64_t end) const {
    if constexpr (Cell::stages > 1) {
      const Range rows = share(g.row_steps(begin, end), team.thread, team.threads);
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        const T* r = states.saved + (states.row(g, begin) + row) * g.saved_row;
        for (int64_t u = 0; u < g.hidden; u += lanes<T>)
          store(chunk.inner + row * g.h_row + u, load(r + u) * load(chunk.operands + row * g.h_row + u));
      }
      barrier(team.threads);
    }
  }

  /// to[i] += sum over rows of deltas[row][i]
  void add_columns(T* to, const T* deltas, int64_t count, int64_t rows) const {
    for_each_vector<T>(0, count, [&](int64_t i, int64_t n) {
      Vec<T> sum = load(to + i, n);
      for (int64_t r = 0; r < rows; ++r) sum = sum + load(deltas + r * g.slots_row + i, n);
      store(to + i, sum, n);
    });
  }

  /// What no step writes: dx past a row's end, and the gradients of the initial states.
  void finish() const {
    for (int64_t i = 0, n = team.rows(p.batch); i < n; ++i) {
      const int64_t j = team.sorted(i), b = p.plan.order[j], length = p.plan.length[j];
      if (grads.dx)
        for (int64_t t = length; t < p.time; ++t)
          zero_row(grads.dx + b * grads.dx_batch + t * grads.dx_time, p.input);
      if (length == 0) begin_state(i, b);
      copy_row(grads.dh0 + b * grads.dh0_row, own.dh + i * g.h_row, p.state);
      if constexpr (Cell::has_c) copy_row(grads.dc0 + b * grads.dc0_row, own.dc + i * g.c_row, p.hidden);
    }
    if (Cell::extras && team.thread == 0)
      for (int e = 0; e < Cell::extras; ++e)
        for (int64_t u = 0; u < p.hidden; ++u)
          grads.dextra[e * grads.dextra_row + u] += chunk.dextra[e * g.hidden + u];
  }
};

template <class T, class Cell>
struct BackwardWorkspace {
  BackwardWeights<T, Cell> weights;
  T* extra;
  typename SequenceBackward<T, Cell>::Chunk chunk;
  ForwardWeights<T, Cell> forward_weights;  ///< the last two where segments are computed again
  States<T> states;

  static BackwardWorkspace take(Arena& arena, const Geometry<T, Cell>& g) {
    BackwardWorkspace w;
    w.weights = BackwardWeights<T, Cell>::take(arena, g);
    w.extra = arena.take<T>(Cell::extras * g.hidden);
    w.chunk = SequenceBackward<T, Cell>::Chunk::take(arena, g);
    if (g.problem.checkpoint_every > 0) {
      w.forward_weights = ForwardWeights<T, Cell>::take(arena, g);
      w.states = States<T>::take(arena, g, g.problem.batch, g.largest_segment(), Cell::has_c);
    }
    return w;
  }
  /// One thread's part.
  struct Own {
    typename SequenceBackward<T, Cell>::Scratch backward;
    typename SequenceForward<T, Cell>::Scratch forward;

    static Own take(Arena& arena, const Geometry<T, Cell>& g) {
      Own o{};
      o.backward = SequenceBackward<T, Cell>::Scratch::take(arena, g);
      if (g.problem.checkpoint_every > 0) o.forward = SequenceForward<T, Cell>::take_scratch(arena, g);
      return o;
    }
  };
};

template <class T, class Cell>
void sequence_backward(const RecurrentProblem<T>& p, const RecurrentGradients<T>& grads,
                       const void* saved_memory, void* workspace) {
  using Workspace = BackwardWorkspace<T, Cell>;
  const Geometry<T, Cell> g(p);
  Arena saved_arena(const_cast<void*>(saved_memory)), arena(workspace);
  const Saved<T, Cell> saved = Saved<T, Cell>::take(saved_arena, g);
  Workspace shared = Workspace::take(arena, g);
  char* own_memory = static_cast<char*>(workspace) + arena.used();
  Arena counter(nullptr);
  Workspace::Own::take(counter, g);
  const bool again = p.checkpoint_every > 0;

  parallel(p.threads, [&](int thread, int threads) {
    shared.weights.pack(g, thread, threads);
    if (again) shared.forward_weights.pack(g, thread, threads);
    if (thread == 0)
      for (int e = 0; e < Cell::extras; ++e) {
        copy_row_padded(shared.extra + e * g.hidden, p.extra + e * p.extra_row, p.hidden, g.hidden);
        zero_row(shared.chunk.dextra + e * g.hidden, g.hidden);
      }
    barrier(threads);
    Arena own_arena(own_memory + size_t(thread) * counter.used());
    const auto own = Workspace::Own::take(own_arena, g);
    const SequenceBackward<T, Cell> backward{
        g, p, grads, shared.weights, shared.extra, shared.chunk, own.backward, {thread, threads}};
    const SequenceForward<T, Cell> forward{g, p, shared.forward_weights, own.forward, {thread, threads}};
    for (int64_t s = g.segments(); s-- > 0;) {
      const int64_t first = s * g.segment(), last = min_of(first + g.segment(), p.plan.steps);
      States<T> states = again ? shared.states : saved.all;
      if (again) {
        states.first = first;
        for (int64_t i = 0, n = backward.team.rows(g.active(first)); i < n; ++i) {
          const int64_t j = backward.team.sorted(i), from = s * p.batch + j;
          copy_row(states.h + j * g.h_row, saved.h + from * g.h_row, g.state);
          if constexpr (Cell::has_c) copy_row(states.c + j * g.c_row, saved.c + from * g.c_row, g.hidden);
        }
        forward.run(states, first, last, nullptr);
      }
      backward.run(states, first, last);
    }
    backward.finish();
  });
}

}  // namespace weft::WEFT_ISA
