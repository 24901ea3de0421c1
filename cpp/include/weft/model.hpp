// Models that Python saved: loaded from their file, run over whole sequences, or stepped in real time.
//
//   const weft::Model model = weft::Model::load("model.safetensors");
//   weft::Stream stream(model);
//   stream.step(x, y);                        // x [inputs] -> y [outputs], the state goes on inside
//
// What may fail outside of real time throws: BadFile for a file that cannot be read, is broken or
// is not a model; BadArgument for arguments that do not fit. Nothing that is noexcept allocates,
// locks, calls the system or throws: step, process, reset, assign.
//
// A model is immutable and may be used from any number of threads. Copies of it, and the streams made of it,
// share one set of weights; a stream keeps what it needs of them alive. A stream belongs to one thread at a
// time.
//
// T float or double: a file's weights are taken in the precision that they have, so a model of float32
// weights is a Model and one of float64 weights a Model64.
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

/// What a real-time call says. Where it is not `ok`, nothing was written and the state is as it was.
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
  /// Reads a .safetensors that weft's Python layers wrote.
  static BasicModel load(const std::string& path);
  /// The same from memory, which is not needed afterwards.
  static BasicModel parse(std::span<const std::byte> file);

  bool takes_tokens() const noexcept;  ///< an embedding comes first: x are indices, not features
  int64_t inputs() const noexcept;     ///< features of x, or the size of the vocabulary
  int64_t outputs() const noexcept;    ///< features of y
  int64_t context() const noexcept;    ///< the most steps that it is made for, or 0: no limit
  /// Why it cannot be stepped (a layer reads the future), or an empty string.
  const std::string& obstacle() const noexcept;
  /// Names of the tensors in its file that it does not use (further names of tied weights aside). As a rule
  /// there are none: a file that has some may be of another model than the one that it says it is.
  const std::vector<std::string>& unused_tensors() const noexcept;

  /// y = model(x), from a state of zeros.
  ///
  ///   x        [B, T, inputs], or tokens [B, T]   in
  ///   y        [B, T, outputs]                    out, zero past a row's end
  ///   lengths  [B]                                in, optional: valid steps of each row, in 0..T
  ///   threads  at most so many; 0: num_threads()
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

/// A model in the middle of one sequence.
template <class T>
class WEFT_API BasicStream {
 public:
  /// capacity: steps that attention remembers, counted from the last reset; 0: the model's context (at most
  /// 65536 of it), or 1024. Models without attention and learned positions step for ever, whatever it is;
  /// so do those where all attention has a window that fits.
  ///
  /// Throws BadArgument where the model cannot be stepped, or has fewer learned positions; and
  /// std::bad_alloc, with the sizes in what(), where capacity is 0 and the memory would be more than 256 MiB
  /// and 16 times the weights: a small file may name a thousand layers and a context of millions, so that is
  /// the caller's to ask for.
  explicit BasicStream(const BasicModel<T>& model, int64_t capacity = 0);
  /// A second one in the same state; this allocates. See assign.
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
  /// n steps: x [n, inputs] or tokens [n], y [n, outputs]. All of them, or none where one would not be `ok`.
  Status process(const T* x, T* y, int64_t n) noexcept;
  Status process(const int64_t* tokens, T* y, int64_t n) noexcept;

  /// Back to a state of zeros and no memory.
  void reset() noexcept;
  /// Take over the state of another stream of the same model and capacity; false, with nothing done, if it is
  /// not one.
  bool assign(const BasicStream& other) noexcept;

  int64_t position() const noexcept;  ///< steps since the last reset
  int64_t capacity() const noexcept;  ///< steps that it has room for, or 0: no limit
  int64_t inputs() const noexcept;
  int64_t outputs() const noexcept;
  bool takes_tokens() const noexcept;
  size_t bytes() const noexcept;       ///< of memory that is this stream's own
  size_t step_bytes() const noexcept;  ///< of memory that one step goes through at most, weights included

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

/// A model in the precision of its file's weights, for who does not know it beforehand.
using AnyModel = std::variant<Model, Model64>;
WEFT_API AnyModel load_any_model(const std::string& path);
WEFT_API AnyModel parse_any_model(std::span<const std::byte> file);

}  // namespace weft
