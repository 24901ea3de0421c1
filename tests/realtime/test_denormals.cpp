// Subnormal numbers cost a processor a hundred times as much as others, so a step lets none arise: a decaying
// state goes to zero. The caller's own mode is as it was after every call, and changes no result.
#include <limits>

#include "check.hpp"
#include "stepping.hpp"

using namespace weft::test;

namespace {

#if defined(__x86_64__)
constexpr uint64_t flush_mask = 0x8040;  // flush to zero, subnormals are zeros
void set_floating_point_mode(uint64_t mode) { __builtin_ia32_ldmxcsr(unsigned(mode)); }
#elif defined(__aarch64__)
constexpr uint64_t flush_mask = 1u << 24;
void set_floating_point_mode(uint64_t mode) { asm volatile("msr fpcr, %0" ::"r"(mode)); }
#else
constexpr uint64_t flush_mask = 0;
void set_floating_point_mode(uint64_t) {}
#endif

template <class T>
bool is_subnormal(T value) {  // by its bits: this compiler's own comparison may see a zero
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  Bits bits, least;
  const T normal = std::numeric_limits<T>::min();
  std::memcpy(&bits, &value, sizeof bits);
  std::memcpy(&least, &normal, sizeof least);
  bits &= Bits(~Bits(0)) >> 1;
  return bits != 0 && bits < least;
}

/// Outputs of n steps: numbers for the first few, `rest` after them.
template <class T>
std::vector<T> outputs(const weft::BasicModel<T>& model, int64_t n, T rest) {
  weft::BasicStream<T> stream(model);
  const auto start = random_numbers<T>(4 * model.inputs(), 5);
  const std::vector<T> decay(size_t(model.inputs()), rest);
  std::vector<T> y(size_t(n * model.outputs()));
  for (int64_t i = 0; i < n; ++i) {
    const T* x = i < 4 ? start.data() + i * model.inputs() : decay.data();
    check(stream.step(x, y.data() + i * model.outputs()) == weft::Status::ok, "a step was refused");
  }
  return y;
}

template <class T>
void test_decay(const std::string& cell) {
  ModelFile<T> file;  // without biases the state decays to nothing
  const auto model =
      weft::BasicModel<T>::parse(file.with_graph(recurrent(file, "a", cell, 3, 8, {.bias = false})));
  const T tiny = std::numeric_limits<T>::denorm_min() * 1000;
  const auto y = outputs(model, 5000, tiny);
  int64_t subnormal = 0;
  for (T value : y) subnormal += is_subnormal(value);
  check(subnormal == 0, cell + ": " + std::to_string(subnormal) + " subnormal outputs");
  check_same_bits(y, outputs(model, 5000, T(0)), cell + ": a subnormal input is not zero");
}

template <class T>
void test_mode(const ModelKind& kind) {
  const uint64_t normal = floating_point_mode();
  std::vector<std::vector<T>> results;
  for (uint64_t mode : {normal, normal | flush_mask}) {
    const auto model = weft::BasicModel<T>::parse(kind.bytes);
    const Inputs<T> inputs(model);
    weft::BasicStream<T> stream(model, kind.capacity);
    std::vector<T> y(size_t(20 * model.outputs()));
    set_floating_point_mode(mode);
    for (int64_t i = 0; i < 10; ++i) {
      inputs.step(stream, i, y.data() + i * model.outputs());
      check(floating_point_mode() == mode, kind.name + ": a step leaves another floating-point mode behind");
    }
    inputs.process(stream, 10, y.data() + 10 * model.outputs(), 10);
    check(floating_point_mode() == mode, kind.name + ": a block leaves another floating-point mode behind");
    set_floating_point_mode(normal);
    results.push_back(y);
  }
  check_same_bits(results[0], results[1], kind.name + ": results depend on the caller's floating-point mode");
}

template <class T>
void test_all() {
  for (const char* cell : {"rnn_tanh", "lstm", "gru"}) test_decay<T>(cell);
  for (const auto& kind : model_kinds<T>()) test_mode<T>(kind);
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  return failures();
}
