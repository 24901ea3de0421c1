// A step as a flat list of what its operations do, in one block of memory that is the stream's.
//
// Places are offsets in elements, or `incoming`: what comes into the step, the features or the token's row,
// which is read where it lies. Nothing that runs in a step allocates, locks, throws or calls the system.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace weft {

/// Where a stream has the history of one operation.
struct HistoryLayout {
  int64_t slots;  // steps that it holds
  int64_t at[3];  // places of what it holds; which is which is the operation's to say
};

/// What an operation remembers of the steps before: all of them, or if window > 0 the last ones alone.
template <class T>
class History {
 public:
  explicit History(int64_t window) : window_(window) {}
  virtual ~History() = default;
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// In a stream with room for so many steps.
  int64_t slots(int64_t room) const { return window_ > 0 && window_ <= room ? window_ : room; }
  bool is_endless(int64_t room) const { return slots(room) == window_; }

  /// Bytes for use within a step, which all operations share.
  virtual int64_t workspace(int64_t slots) const = 0;
  /// What it holds: layout.at from take(rows, elements of each).
  virtual void lay_out(HistoryLayout& layout, const std::function<int64_t(int64_t, int64_t)>& take) const = 0;
  /// What it holds before the first step, if not zeros.
  virtual void fill(const HistoryLayout&, T*) const {}
  /// To a stream with the same layout, after `position` steps.
  virtual void copy(const HistoryLayout& layout, const T* from, T* to, int64_t position) const noexcept = 0;

 private:
  int64_t window_;
};

inline constexpr int64_t incoming = -1;

/// One step of one stream.
template <class T>
struct Frame {
  const T* x;
  T* memory;
  T* workspace;  // of the size that the histories ask for
  const HistoryLayout* histories;
  int64_t position;  // steps before this one

  const T* read(int64_t place) const { return place == incoming ? x : memory + place; }
};

/// A function of a frame: one kernel, as a rule, and the places that it reads and writes.
template <class T>
struct Step {
  void (*run)(const void* function, const Frame<T>&) noexcept;
  std::shared_ptr<const void> function;

  template <class Function>
  explicit Step(Function made)
      : run([](const void* function, const Frame<T>& frame) noexcept {
          (*static_cast<const Function*>(function))(frame);
        }),
        function(std::make_shared<const Function>(std::move(made))) {}
};

/// The result of an operation within a step. Its owner gives the place back; of others the place is a state,
/// or what came in.
struct Value {
  int64_t place, size;
  bool owned;
};

}  // namespace weft
