// Models that Python saved. They are loaded from their file, then run over whole sequences or stepped in real
// time.
//
//   const weft::Model model = weft::Model::load("model.safetensors");
//   weft::Stream stream(model);
//   stream.step(x, y);                        // x [inputs] -> y [outputs]; the stream keeps the state
//
// Functions that are not real-time safe report errors by exceptions: BadFile for a file that cannot be read,
// is broken or is not a model, BadArgument for arguments that do not fit. The real-time functions step,
// process, reset and assign are noexcept; they never allocate, lock or call the system.
//
// A model is immutable and may be used from any number of threads. Its copies and its streams share one set
// of weights, which a stream keeps alive. A stream belongs to one thread at a time.
//
// T is float or double. Weights keep the precision that they have in the file: a model of float32 weights is
// a Model, one of float64 weights a Model64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "weft/export.h"
#include "weft/view.hpp"

namespace weft {

/// The result of a real-time call. Where it is not `ok`, nothing was written and the state is unchanged.
enum class Status : int {
  ok = 0,
  full,         ///< the stream's capacity is used up: reset it, or make one with more
  wrong_input,  ///< tokens where the model takes features, or the other way round
  bad_token,    ///< a token outside of the vocabulary
};
WEFT_API const char* status_text(Status status) noexcept;

template <class T>
struct Graph;
template <class T>
class Program;

template <class T>
class WEFT_API BasicModel {
 public:
  /// Reads a .safetensors file that weft's Python layers wrote.
  static BasicModel load(const std::string& path);
  /// The same from memory, which may be freed afterwards.
  static BasicModel parse(std::span<const std::byte> file);

  bool takes_tokens() const noexcept;  ///< an embedding comes first, so x are indices, not features
  int64_t inputs() const noexcept;     ///< features of x, or the size of the vocabulary
  int64_t outputs() const noexcept;    ///< features of y
  int64_t context() const noexcept;    ///< the longest sequence that it is made for, or 0: no limit
  /// Why it cannot be stepped (a layer reads later steps), or an empty string.
  const std::string& obstacle() const noexcept;
  /// Names of the tensors in its file that it does not use, not counting further names of tied weights.
  /// Usually there are none: a file that has some may hold another model than it says.
  const std::vector<std::string>& unused_tensors() const noexcept;

  /// y = model(x), starting from a state of zeros.
  ///
  ///   x        [B, T, inputs], or tokens [B, T]   in
  ///   y        [B, T, outputs]                    out, zero past a row's end
  ///   lengths  [B]                                in, optional: valid steps of each row, in 0..T
  ///   threads  the most to use; 0: num_threads()
  void run(View<const T, 3> x, View<T, 3> y, View<const int64_t, 1> lengths = {}, int threads = 0) const;
  void run(View<const int64_t, 2> tokens, View<T, 3> y, View<const int64_t, 1> lengths = {},
           int threads = 0) const;

 private:
  template <class>
  friend class BasicStream;
  friend struct AnyModelReader;
  explicit BasicModel(std::shared_ptr<const Graph<T>> graph) : graph_(std::move(graph)) {}

  std::shared_ptr<const Graph<T>> graph_;
};

/// A model together with the state of one sequence.
template <class T>
class WEFT_API BasicStream {
 public:
  /// `capacity` is the number of steps, counted from the last reset, whose keys and values attention can
  /// hold; 0 means the model's context, but at most 65536, or 1024 where it has none. Models without
  /// attention and without learned positions can be stepped without limit, whatever the capacity. So can
  /// models in which every attention has a window that fits.
  ///
  /// Throws BadArgument if the model cannot be stepped, or has fewer learned positions than the
  /// capacity. Throws std::bad_alloc, with the sizes in what(), if capacity is 0 and the memory would be more
  /// than both 256 MiB and 16 times the weights: a small file may name a thousand layers and a context of
  /// millions, so such a stream must be asked for by its capacity.
  explicit BasicStream(const BasicModel<T>& model, int64_t capacity = 0);
  /// A second stream in the same state. This allocates; assign does not.
  BasicStream(const BasicStream& other);
  BasicStream& operator=(const BasicStream& other);
  BasicStream(BasicStream&&) noexcept;
  BasicStream& operator=(BasicStream&&) noexcept;
  ~BasicStream();

  /// One step.
  ///   x  [inputs]   in, or one token
  ///   y  [outputs]  out; it may not overlap x
  Status step(const T* x, T* y) noexcept;
  Status step(int64_t token, T* y) noexcept;
  /// n steps: x [n, inputs] or tokens [n], y [n, outputs]. Does all of them, or none if one of them would not
  /// be `ok`.
  Status process(const T* x, T* y, int64_t n) noexcept;
  Status process(const int64_t* tokens, T* y, int64_t n) noexcept;

  /// Sets the state to zeros and forgets all earlier steps.
  void reset() noexcept;
  /// Copies the state of another stream, which must be of the same model and capacity; else it does nothing
  /// and returns false.
  bool assign(const BasicStream& other) noexcept;

  int64_t position() const noexcept;  ///< steps since the last reset
  int64_t capacity() const noexcept;  ///< the most steps between two resets, or 0: no limit
  int64_t inputs() const noexcept;
  int64_t outputs() const noexcept;
  bool takes_tokens() const noexcept;
  size_t bytes() const noexcept;       ///< of memory that belong to this stream alone
  size_t step_bytes() const noexcept;  ///< of memory that one step reads at most, weights included

 private:
  std::shared_ptr<const Program<T>> program_;
  std::unique_ptr<std::byte[], void (*)(std::byte*)> memory_;
  int64_t position_ = 0, end_ = 0;  // steps done, and the most that there may be
  int64_t room_ = 0, bytes_ = 0;    // steps that attention has memory for; the memory's size
};

using Model = BasicModel<float>;
using Model64 = BasicModel<double>;
using Stream = BasicStream<float>;
using Stream64 = BasicStream<double>;

/// A model in the precision of its file's weights, where that is not known beforehand.
using AnyModel = std::variant<Model, Model64>;
WEFT_API AnyModel load_any_model(const std::string& path);
WEFT_API AnyModel parse_any_model(std::span<const std::byte> file);

}  // namespace weft
