// One attention problem as a call of the C++ interface, and as plain loops in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "everywhere.hpp"
#include "memory.hpp"
#include "weft/attention.hpp"

namespace weft::test {

/// B batch, N query heads, Nk key heads, T queries, S keys, D and E elements of a key and of a value.
struct AttentionSize {
  int64_t B, N, Nk, T, S, D, E;
  int64_t left = -1, right = -1;
  bool from_end = false;
  double softcap = 0;
  std::vector<int64_t> kv_lengths = {};

  double scale() const { return D > 0 ? 1 / std::sqrt(double(D)) : 1; }
  int64_t keys(int64_t b) const { return kv_lengths.empty() ? S : kv_lengths[size_t(b)]; }
  /// The first key that query t sees, and the one after the last.
  std::pair<int64_t, int64_t> span(int64_t b, int64_t t) const {
    const int64_t position = t + (from_end ? keys(b) - T : 0);
    return {left < 0 ? 0 : std::max<int64_t>(0, position - left),
            right < 0 ? keys(b) : std::min(keys(b), position + right + 1)};
  }
  /// Pairs of a query and a key that it sees.
  double pairs() const {
    double count = 0;
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < T; ++t)
        count += double(N) * double(std::max<int64_t>(0, span(b, t).second - span(b, t).first));
    return count;
  }
};

template <class T>
struct AttentionArrays {
  std::vector<T> q, k, v, dout;

  explicit AttentionArrays(const AttentionSize& p)
      : q(random_numbers<T>(p.B * p.N * p.T * p.D, 1)),
        k(random_numbers<T>(p.B * p.Nk * p.S * p.D, 2)),
        v(random_numbers<T>(p.B * p.Nk * p.S * p.E, 3)),
        dout(random_numbers<T>(p.B * p.N * p.T * p.E, 4)) {}
};

/// Holds everything; every call has the workspace that it asked for.
template <class T>
class AttentionCall {
 public:
  explicit AttentionCall(const AttentionSize& p, int threads = 0)
      : p_(p),
        given_(p),
        out_(size_t(p.B * p.N * p.T * p.E)),
        normalizer_(size_t(p.B * p.N * p.T * 2)),
        dq_(given_.q.size()),
        dk_(given_.k.size()),
        dv_(given_.v.size()) {
    arguments_.q = {given_.q.data(), {p.B, p.N, p.T, p.D}};
    arguments_.k = {given_.k.data(), {p.B, p.Nk, p.S, p.D}};
    arguments_.v = {given_.v.data(), {p.B, p.Nk, p.S, p.E}};
    if (!p_.kv_lengths.empty()) arguments_.kv_lengths = {p_.kv_lengths.data(), {p.B}};
    arguments_.scale = p.scale(), arguments_.softcap = p.softcap;
    arguments_.left = p.left, arguments_.right = p.right, arguments_.from_end = p.from_end;
    arguments_.threads = threads;
    forward_workspace_ = Memory(attention_forward_workspace(arguments_));
    backward_workspace_ = Memory(attention_backward_workspace(arguments_));
  }
  AttentionCall(const AttentionCall&) = delete;  // arguments_ looks into this object

  void forward() {
    attention_forward<T>({.arguments = arguments_,
                          .out = out(),
                          .normalizer = normalizer(),
                          .workspace = forward_workspace_.get()});
  }
  void backward() {
    attention_backward<T>({.arguments = arguments_,
                           .out = out(),
                           .normalizer = normalizer(),
                           .dout = {given_.dout.data(), out().shape},
                           .dq = {dq_.data(), arguments_.q.shape},
                           .dk = {dk_.data(), arguments_.k.shape},
                           .dv = {dv_.data(), arguments_.v.shape},
                           .workspace = backward_workspace_.get()});
  }
  AttentionArguments<T>& arguments() { return arguments_; }
  Arrays<T> results() const { return {out_, dq_, dk_, dv_}; }

 private:
  View<T, 4> out() { return {out_.data(), {p_.B, p_.N, p_.T, p_.E}}; }
  View<T, 4> normalizer() { return {normalizer_.data(), {p_.B, p_.N, p_.T, 2}}; }

  AttentionSize p_;
  AttentionArrays<T> given_;
  std::vector<T> out_, normalizer_, dq_, dk_, dv_;
  AttentionArguments<T> arguments_;
  Memory forward_workspace_{0}, backward_workspace_{0};
};

/// out, dq, dk, dv of arrays of T.
template <class T>
Arrays<double> attention_reference(const AttentionSize& p) {
  const AttentionArrays<T> given(p);
  std::vector<double> out(given.dout.size()), dq(given.q.size()), dk(given.k.size()), dv(given.v.size());
  const auto dot = [](const T* a, const T* b, int64_t size) {
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += double(a[i]) * double(b[i]);
    return sum;
  };
  for (int64_t row = 0; row < p.B * p.N * p.T; ++row) {
    const int64_t b = row / p.T / p.N, n = row / p.T % p.N, head = (b * p.Nk + n / (p.N / p.Nk)) * p.S;
    const auto [begin, end] = p.span(b, row % p.T);
    const T *q = &given.q[size_t(row * p.D)], *dout = given.dout.data() + row * p.E;
    std::vector<double> weights, slopes;
    double largest = -std::numeric_limits<double>::infinity(), total = 0, mean = 0;
    for (int64_t s = begin; s < end; ++s) {
      const double score = p.scale() * dot(q, given.k.data() + (head + s) * p.D, p.D);
      const double bent = p.softcap > 0 ? std::tanh(score / p.softcap) : 0;
      weights.push_back(p.softcap > 0 ? p.softcap * bent : score);
      slopes.push_back(p.scale() * (1 - bent * bent));
      largest = std::max(largest, weights.back());
    }
    for (double& weight : weights) total += weight = std::exp(weight - largest);
    for (double& weight : weights) weight /= total;
    const auto dweight = [&](int64_t s) { return dot(dout, given.v.data() + (head + s) * p.E, p.E); };
    for (int64_t s = begin; s < end; ++s) mean += weights[size_t(s - begin)] * dweight(s);
    for (int64_t s = begin; s < end; ++s) {
      const double weight = weights[size_t(s - begin)];
      const double dscore = weight * (dweight(s) - mean) * slopes[size_t(s - begin)];
      for (int64_t e = 0; e < p.E; ++e) {
        out[size_t(row * p.E + e)] += weight * double(given.v[size_t((head + s) * p.E + e)]);
        dv[size_t((head + s) * p.E + e)] += weight * double(dout[e]);
      }
      for (int64_t d = 0; d < p.D; ++d) {
        dq[size_t(row * p.D + d)] += dscore * double(given.k[size_t((head + s) * p.D + d)]);
        dk[size_t((head + s) * p.D + d)] += dscore * double(q[d]);
      }
    }
  }
  return {out, dq, dk, dv};
}

}  // namespace weft::test
