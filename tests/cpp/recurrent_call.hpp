// One problem as a call of the C++ interface: arrays of T, views of them, memory; what a native program does.
#pragma once

#include <limits>

#include "memory.hpp"
#include "recurrent_problem.hpp"

namespace weft::test {

/// How a call is made; none of it changes a result.
struct Layout {
  int threads = 1;
  int64_t checkpoint_every = 0;
  bool time_major = false;
};

/// [B, T, N] laid out as [T, B, N], or the way back.
template <class T>
std::vector<T> swapped(const std::vector<T>& values, int64_t outer, int64_t inner, int64_t N) {
  std::vector<T> result(values.size());
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t j = 0; j < inner; ++j)
      for (int64_t n = 0; n < N; ++n) result[(j * outer + i) * N + n] = values[(i * inner + j) * N + n];
  return result;
}

/// Padding full of NaN, in the place of what the reference never reads.
template <class T>
void poison_padding(const Problem& p, std::vector<T>& values, int64_t N) {
  for (int64_t b = 0; b < p.B && !p.lengths.empty(); ++b)
    for (int64_t i = (b * p.T + p.lengths[b]) * N; i < (b + 1) * p.T * N; ++i)
      values[i] = std::numeric_limits<T>::quiet_NaN();
}

template <class T>
class RecurrentCall {
 public:
  RecurrentCall(const Problem& problem, const Outcome<double>& douts, const Layout& layout)
      : p_(problem), layout_(layout), resets_(new bool[problem.resets.size() + 1]) {
    for (int i = 0; i < tensor_count; ++i) t_[i] = cast(p_.tensors[i]);
    douts_ = {cast(douts.y), cast(douts.h_n), cast(douts.c_n)};
    dropout_ = cast(p_.dropout), zoneout_ = cast(p_.zoneout);
    for (size_t i = 0; i < p_.resets.size(); ++i) resets_[i] = p_.resets[i] != 0;
    poison_padding(p_, t_[X], p_.I);
    poison_padding(p_, douts_.y, p_.P);
    if (layout.time_major) {
      t_[X] = swapped(t_[X], p_.B, p_.T, p_.I);
      douts_.y = swapped(douts_.y, p_.B, p_.T, p_.P);
    }
    out_ = {unwritten(p_.B * p_.T * p_.P), unwritten(p_.B * p_.P), unwritten(p_.has_c ? p_.B * p_.H : 0)};
    for (int i = 0; i < tensor_count; ++i) gradients_[i].assign(t_[i].size(), T(0));
    gradients_[X] = unwritten(p_.B * p_.T * p_.I);
    gradients_[H0] = unwritten(p_.B * p_.P);
    gradients_[C0] = unwritten(p_.has_c ? p_.B * p_.H : 0);
    set_views();
    const RecurrentSizes training = recurrent_sizes(arguments_, true);
    const RecurrentSizes inference = recurrent_sizes(arguments_, false);
    saved_ = Memory(training.saved);
    forward_workspace_ = Memory(training.forward_workspace);
    backward_workspace_ = Memory(training.backward_workspace);
    inference_workspace_ = Memory(inference.forward_workspace);
  }
  RecurrentCall(const RecurrentCall&) = delete;  // the views point into this

  void forward() { recurrent_forward<T>({arguments_, results_, saved_.get(), forward_workspace_.get()}); }
  void infer() { recurrent_forward<T>({arguments_, results_, nullptr, inference_workspace_.get()}); }
  /// Adds to the weights' gradients.
  void backward() { recurrent_backward<T>({arguments_, views_, saved_.get(), backward_workspace_.get()}); }

  /// Batch-first.
  Outcome<T> out() const {
    Outcome<T> result = out_;
    if (layout_.time_major) result.y = swapped(result.y, p_.T, p_.B, p_.P);
    return result;
  }
  Tensors<T> gradients() const {
    Tensors<T> result = gradients_;
    if (layout_.time_major) result[X] = swapped(result[X], p_.T, p_.B, p_.I);
    return result;
  }

 private:
  static std::vector<T> cast(const std::vector<double>& v) { return {v.begin(), v.end()}; }
  static std::vector<T> unwritten(int64_t size) {
    return std::vector<T>(size_t(size), std::numeric_limits<T>::quiet_NaN());
  }
  View<T, 3> sequence(std::vector<T>& v, int64_t N) const {
    if (layout_.time_major) return {v.data(), {p_.B, p_.T, N}, {N, p_.B * N, 1}};
    return {v.data(), {p_.B, p_.T, N}};
  }
  static View<T, 2> matrix(std::vector<T>& v, int64_t rows, int64_t columns) {
    return v.empty() ? View<T, 2>() : View<T, 2>(v.data(), {rows, columns});
  }
  static View<T, 1> vector(std::vector<T>& v) {
    return v.empty() ? View<T, 1>() : View<T, 1>(v.data(), {int64_t(v.size())});
  }

  void set_views() {
    const int64_t rows = p_.gates * p_.H;
    auto& a = arguments_;
    a.cell = p_.cell.c_str();
    a.x = sequence(t_[X], p_.I);
    a.w_ih = matrix(t_[W_IH], rows, p_.I);
    a.w_hh = matrix(t_[W_HH], rows, p_.P);
    a.b_ih = vector(t_[B_IH]);
    a.b_hh = vector(t_[B_HH]);
    a.extra = matrix(t_[EXTRA], p_.extras, p_.H);
    a.w_proj = matrix(t_[W_PROJ], p_.P, p_.H);
    a.h0 = matrix(t_[H0], p_.B, p_.P);
    a.c0 = matrix(t_[C0], p_.B, p_.H);
    if (!p_.lengths.empty()) a.lengths = {p_.lengths.data(), {p_.B}};
    if (!p_.resets.empty()) a.resets = {resets_.get(), {p_.B, p_.T}};
    if (!dropout_.empty()) a.recurrent_dropout_mask = {dropout_.data(), {p_.B, p_.T, p_.P}};
    if (!zoneout_.empty()) a.zoneout_mask = {zoneout_.data(), {p_.B, p_.T, p_.P}};
    a.reverse = p_.reverse;
    a.checkpoint_every = layout_.checkpoint_every;
    a.threads = layout_.threads;

    results_ = {sequence(out_.y, p_.P), matrix(out_.h_n, p_.B, p_.P), matrix(out_.c_n, p_.B, p_.H)};

    auto& v = views_;
    v.dy = sequence(douts_.y, p_.P);
    v.dh_n = matrix(douts_.h_n, p_.B, p_.P);
    v.dc_n = matrix(douts_.c_n, p_.B, p_.H);
    v.dx = sequence(gradients_[X], p_.I);
    v.dw_ih = matrix(gradients_[W_IH], rows, p_.I);
    v.dw_hh = matrix(gradients_[W_HH], rows, p_.P);
    v.db_ih = vector(gradients_[B_IH]);
    v.db_hh = vector(gradients_[B_HH]);
    v.dextra = matrix(gradients_[EXTRA], p_.extras, p_.H);
    v.dw_proj = matrix(gradients_[W_PROJ], p_.P, p_.H);
    v.dh0 = matrix(gradients_[H0], p_.B, p_.P);
    v.dc0 = matrix(gradients_[C0], p_.B, p_.H);
  }

  const Problem p_;
  const Layout layout_;
  Tensors<T> t_, gradients_;
  Outcome<T> douts_, out_;
  std::vector<T> dropout_, zoneout_;
  std::unique_ptr<bool[]> resets_;
  RecurrentArguments<T> arguments_;
  RecurrentResults<T> results_;
  RecurrentGradientViews<T> views_;
  Memory saved_{0}, forward_workspace_{0}, backward_workspace_{0}, inference_workspace_{0};
};

}  // namespace weft::test
