// Which keys a query may attend to, before masks: an interval, from causality, the window and the row's
// number of keys. Both its ends grow with the query's position.
#pragma once

#include "kernels/attention/attention_problem.hpp"
#include "kernels/threads/parallel.hpp"

namespace weft::WEFT_ISA {

/// The keys of one element of the batch.
class Visibility {
 public:
  template <class T>
  Visibility(const Attention<T>& p, int64_t b)
      : keys_(p.kv_lengths == nullptr ? p.keys : p.kv_lengths[b]),
        shift_(p.from_end ? keys_ - p.queries : 0),
        left_(p.left),
        right_(p.right) {}

  int64_t keys() const { return keys_; }

  /// The keys that query t sees.
  Range of(int64_t t) const {
    const int64_t position = t + shift_;
    const int64_t begin = left_ < 0 || position < left_ ? 0 : min_of(position - left_, keys_);
    // right_ + 1 could overflow; compared instead
    const int64_t end = right_ < 0 || right_ >= keys_ - position ? keys_ : max_of(0, position + right_ + 1);
    return {min_of(begin, end), end};
  }
  /// The keys that any of these queries sees.
  Range of(Range queries) const {
    const Range first = of(queries.begin), last = of(queries.end - 1);
    return first.begin < last.end ? Range{first.begin, last.end} : Range{last.end, last.end};
  }
  /// Does each of these queries see each of these keys?
  bool is_whole(Range queries, Range keys) const {
    return of(queries.begin).end >= keys.end && of(queries.end - 1).begin <= keys.begin;
  }

 private:
  int64_t keys_, shift_, left_, right_;
};

inline Range intersection(Range a, Range b) {
  const int64_t begin = max_of(a.begin, b.begin);
  return {begin, max_of(begin, min_of(a.end, b.end))};
}
inline bool is_empty(Range range) { return range.begin >= range.end; }

}  // namespace weft::WEFT_ISA
