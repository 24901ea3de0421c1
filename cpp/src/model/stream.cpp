// BasicStream: a program and the memory of one sequence.
#include <cstring>
#include <utility>

#include "src/checks/errors.hpp"
#include "src/model/flush_denormals.hpp"
#include "src/model/program.hpp"
#include "src/runtime/out_of_memory.hpp"
#include "weft/model.hpp"

namespace weft {
namespace {

constexpr int64_t usual_room = 1024, most_unasked = 65536;

/// Of a stream whose capacity the caller has left to the file: a few thousand bytes can name a thousand
/// layers and a context of millions.
int64_t most_unasked_bytes(int64_t weight_bytes) { return 16 * weight_bytes + (int64_t(1) << 28); }

std::string megabytes(int64_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + " MB"; }

void free_memory(std::byte* memory) { FreeAligned()(memory); }

}  // namespace

const char* status_text(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::full:
      return "the stream's capacity is used up: reset it, or make one with more";
    case Status::wrong_input:
      return "tokens are for models that begin with an embedding, features for all others";
    case Status::bad_token:
      return "a token is outside of the vocabulary";
  }
  return "no status of weft";
}

template <class T>
BasicStream<T>::BasicStream(const BasicModel<T>& model, int64_t capacity)
    : memory_(nullptr, free_memory), room_(capacity) {
  const Graph<T>& graph = *model.graph_;
  if (!graph.obstacle.empty()) fail("Stream", "model cannot be stepped: " + graph.obstacle);
  if (capacity < 0) fail("Stream", "capacity must be at least 0, got " + std::to_string(capacity));
  if (graph.places > 0 && capacity > graph.places)
    fail("Stream", "capacity must be at most " + std::to_string(graph.places) +
                       ", as many as there are learned positions, got " + std::to_string(capacity));
  if (capacity == 0) room_ = graph.context > 0 ? std::min(graph.context, most_unasked) : usual_room;
  program_ = Program<T>::of(graph);
  end_ = program_->is_endless(room_) ? INT64_MAX : room_;
  bytes_ = program_->bytes(room_);
  if (const int64_t most = most_unasked_bytes(graph.weight_bytes); capacity == 0 && bytes_ > most)
    throw OutOfMemory("Stream: capacity must be given: the default of " + std::to_string(room_) +
                      " steps would take " + megabytes(bytes_) +
                      ", and a stream of this model, whose weights are " + megabytes(graph.weight_bytes) +
                      ", takes at most " + megabytes(most) + " unasked");
  memory_.reset(aligned_array<std::byte>(bytes_).release());
  program_->fill(memory_.get(), room_);
}

template <class T>
BasicStream<T>::BasicStream(const BasicStream& other)
    : program_(other.program_),
      memory_(aligned_array<std::byte>(other.bytes_).release(), free_memory),
      position_(other.position_),
      end_(other.end_),
      room_(other.room_),
      bytes_(other.bytes_) {
  std::memcpy(memory_.get(), other.memory_.get(), size_t(bytes_));
}
template <class T>
BasicStream<T>& BasicStream<T>::operator=(const BasicStream& other) {
  if (!assign(other)) *this = BasicStream(other);
  return *this;
}
template <class T>
BasicStream<T>::BasicStream(BasicStream&&) noexcept = default;
template <class T>
BasicStream<T>& BasicStream<T>::operator=(BasicStream&&) noexcept = default;
template <class T>
BasicStream<T>::~BasicStream() = default;

template <class T>
Status BasicStream<T>::step(const T* x, T* y) noexcept {
  return process(x, y, 1);
}
template <class T>
Status BasicStream<T>::step(int64_t token, T* y) noexcept {
  return process(&token, y, 1);
}

template <class T>
Status BasicStream<T>::process(const T* x, T* y, int64_t n) noexcept {
  const Program<T>& program = *program_;
  if (program.takes_tokens) return Status::wrong_input;
  if (n > end_ - position_) return Status::full;
  const FlushDenormals flush;
  for (int64_t i = 0; i < n; ++i, x += program.inputs, y += program.outputs)
    program.step(memory_.get(), x, position_++, y);
  return Status::ok;
}
template <class T>
Status BasicStream<T>::process(const int64_t* tokens, T* y, int64_t n) noexcept {
  const Program<T>& program = *program_;
  if (!program.takes_tokens) return Status::wrong_input;
  if (n > end_ - position_) return Status::full;
  for (int64_t i = 0; i < n; ++i)
    if (tokens[i] < 0 || tokens[i] >= program.inputs) return Status::bad_token;
  const FlushDenormals flush;
  for (int64_t i = 0; i < n; ++i, y += program.outputs)
    program.step(memory_.get(), program.row_of(tokens[i]), position_++, y);
  return Status::ok;
}

template <class T>
void BasicStream<T>::reset() noexcept {
  program_->reset(memory_.get());
  position_ = 0;
}
template <class T>
bool BasicStream<T>::assign(const BasicStream& other) noexcept {
  if (program_ != other.program_ || room_ != other.room_) return false;
  if (this != &other) program_->copy(other.memory_.get(), memory_.get(), other.position_);
  position_ = other.position_;
  return true;
}

template <class T>
int64_t BasicStream<T>::position() const noexcept {
  return position_;
}
template <class T>
int64_t BasicStream<T>::capacity() const noexcept {
  return end_ == INT64_MAX ? 0 : end_;
}
template <class T>
int64_t BasicStream<T>::inputs() const noexcept {
  return program_->inputs;
}
template <class T>
int64_t BasicStream<T>::outputs() const noexcept {
  return program_->outputs;
}
template <class T>
bool BasicStream<T>::takes_tokens() const noexcept {
  return program_->takes_tokens;
}
template <class T>
size_t BasicStream<T>::bytes() const noexcept {
  return size_t(bytes_);
}
template <class T>
size_t BasicStream<T>::step_bytes() const noexcept {
  return size_t(program_->weight_bytes) + size_t(bytes_);
}

template class BasicStream<float>;
template class BasicStream<double>;

}  // namespace weft
