// What a stream keeps for one attention: keys and values of the steps so far, or of its window's.
//
//   keys, values [K, slots, D]   rings: step t is in slot t mod slots
//   bias [N, 2 slots]            what is added to the scores, by distance: see fill
#pragma once

#include "src/model/ops/attention_positions.hpp"

namespace weft {

template <class T>
class AttentionHistory final : public History<T> {
 public:
  enum { keys, values, bias };  // of HistoryLayout::at

  AttentionHistory(int64_t window, const AttentionArguments<T>& problem, AttentionPositions<T> positions,
                   int64_t (*attention_workspace)(const AttentionArguments<T>&))
      : History<T>(window),
        problem_(problem),
        positions_(std::move(positions)),
        attention_workspace_(attention_workspace) {}

  /// Elements of the biases of one head: those of every distance, twice, for any place where a ring begins.
  static int64_t bias_row(int64_t slots) { return 2 * slots; }

  int64_t workspace(int64_t slots) const override {
    AttentionArguments<T> a = problem_;
    a.k.shape[2] = a.v.shape[2] = slots;
    return attention_workspace_(a);
  }
  void lay_out(HistoryLayout& layout, const std::function<int64_t(int64_t, int64_t)>& take) const override {
    for (const int what : {keys, values})
      layout.at[what] = take(layout.slots, problem_.k.shape[1] * problem_.k.shape[3]);
    if (has_bias(positions_)) layout.at[bias] = take(problem_.q.shape[1], bias_row(layout.slots));
  }
  void fill(const HistoryLayout& layout, T* memory) const override {
    // A row begins with the distances slots, slots - 1 ... 0, which serve until a ring is full; then come
    // slots - 1 ... 1 once more.
    const int64_t N = problem_.q.shape[1], slots = layout.slots;
    for (int64_t n = 0; has_bias(positions_) && n < N; ++n) {
      T* row = memory + layout.at[bias] + n * bias_row(slots);
      fill_score_bias(positions_, n, N, -slots, slots + 1, row);
      fill_score_bias(positions_, n, N, 1 - slots, slots - 1, row + slots + 1);
    }
  }
  void copy(const HistoryLayout& layout, const T* from, T* to, int64_t position) const noexcept override {
    const int64_t size = problem_.k.shape[3], held = std::min(position, layout.slots) * size;
    for (int64_t n = 0; n < problem_.k.shape[1]; ++n)
      for (const int what : {keys, values}) {
        const int64_t ring = layout.at[what] + n * layout.slots * size;
        std::copy_n(from + ring, held, to + ring);
      }
  }

 private:
  AttentionArguments<T> problem_;  // but for what is known at run time
  AttentionPositions<T> positions_;
  int64_t (*attention_workspace_)(const AttentionArguments<T>&);
};

}  // namespace weft
