// The kernels of single steps, on every instruction set and in both precisions, against the scalar reference:
// every cell at sizes around whole and half vectors, in memory of exactly the sizes that the kernels ask for.
#include <algorithm>
#include <limits>

#include "exact_memory.hpp"
#include "recurrent_reference.hpp"
#include "src/runtime/step_dispatch.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

/// Sums of some hundred rounded products, and what tanh and sigmoid add.
template <class T>
constexpr double tolerance = 64 * std::numeric_limits<T>::epsilon();

template <class T>
std::vector<T> narrowed(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}
template <class T>
const T* or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

template <class T>
const weft::StepCell<T>& cell_named(const std::string& name) {
  const auto& kernels = weft::step_kernels<T>(weft::current_step_table());
  for (int i = 0; i < kernels.count; ++i)
    if (name == kernels.cells[i].name) return kernels.cells[i];
  throw std::invalid_argument("no cell " + name);
}

template <class T>
void test_cell(const weft::CellInfo& info, const Options& options, const Size& size, double zoneout) {
  Problem p = make_problem(info, options, size);
  p.tensors[H0].clear();
  p.tensors[C0].clear();
  if (zoneout > 0) p.zoneout.assign(p.T * p.P, zoneout);
  const Outcome<double> expected = reference(p, p.tensors);

  Tensors<T> t;
  for (int i = 0; i < tensor_count; ++i) t[i] = narrowed<T>(p.tensors[i]);
  const weft::StepShape shape{p.I, p.H, p.P};
  const weft::StepCell<T>& cell = cell_named<T>(p.cell);
  const std::string what = p.cell + " I " + std::to_string(p.I) + " H " + std::to_string(p.H) + " P " +
                           std::to_string(p.P) + " " + options.name + " " + weft::isa();
  check(cell.gates == info.gates && cell.extras == info.extras && cell.has_c == info.has_c &&
            cell.takes_projection == info.takes_projection,
        what + ": the cell's description");

  Exact<T> packed(cell.packed_size(shape)), state(cell.state_size(shape)), scratch(cell.scratch_size(shape));
  cell.pack({shape, t[W_IH].data(), t[W_HH].data(), or_null(t[B_IH]), or_null(t[B_HH]), or_null(t[EXTRA]),
             or_null(t[W_PROJ]), T(zoneout)},
            packed.get());
  std::vector<T> first;
  for (int run = 0; run < 2; ++run) {  // the second from the same state: the same bits
    state.clear();
    std::vector<T> y;
    for (int64_t step = 0; step < p.T; ++step) {
      const Exact<T> x(std::vector<T>(&t[X][step * p.I], &t[X][step * p.I] + p.I));
      cell.step(shape, packed.get(), x.get(), state.get(), scratch.get());
      const std::vector<T> h = state.first(p.P);
      y.insert(y.end(), h.begin(), h.end());
    }
    check_close(y, expected.y, tolerance<T>, 1, what);
    if (run == 0) first = y;
    check_same_bits(y, first, what);
  }
}

template <class T>
void test_cells() {
  const int64_t hidden[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, 64, 100}, inputs[] = {1, 2, 5, 16, 40};
  int turn = 0;
  for (const weft::CellInfo& info : referenced_cells())
    for (int64_t H : hidden) {
      const int64_t I = inputs[turn++ % std::size(inputs)];
      test_cell<T>(info, {.name = "plain"}, {5, 1, I, H}, 0);
      test_cell<T>(info, {.name = "bare", .bare = true}, {3, 1, 1, H}, 0);
      test_cell<T>(info, {.name = "zoneout"}, {4, 1, I, H}, 0.25);
      if (!info.takes_projection) continue;
      test_cell<T>(info, {.name = "projection", .projection = true}, {5, 1, I, H}, 0);
      test_cell<T>(info, {.name = "projection and zoneout", .projection = true}, {4, 1, 3, H}, 0.25);
    }
}

template <class T>
void test_linear(int64_t inputs, int64_t outputs, bool with_bias) {
  const auto& kernels = weft::step_kernels<T>(weft::current_step_table());
  const auto weight = random_numbers<T>(inputs * outputs, 1), bias = random_numbers<T>(outputs, 2);
  const Exact<T> x(random_numbers<T>(inputs, 3));
  Exact<T> packed(kernels.linear_packed_size(inputs, outputs));
  kernels.pack_linear(inputs, outputs, weight.data(), with_bias ? bias.data() : nullptr, packed.get());
  const Exact<T> y((outputs + 15) / 16 * 16);
  kernels.linear(inputs, outputs, packed.get(), x.get(), y.get());
  std::vector<double> expected(outputs);
  for (int64_t o = 0; o < outputs; ++o) {
    expected[o] = with_bias ? bias[o] : 0;
    for (int64_t i = 0; i < inputs; ++i) expected[o] += double(weight[o * inputs + i]) * double(x.get()[i]);
  }
  check_close(y.first(outputs), expected, tolerance<T>, std::sqrt(double(inputs)),
              "linear " + std::to_string(inputs) + " to " + std::to_string(outputs) + " " + weft::isa());
}

template <class T>
void test_linears() {
  for (int64_t inputs : {1, 3, 7, 8, 9, 15, 16, 17, 33, 64, 65, 100, 200})
    for (int64_t outputs : {1, 2, 3, 5, 8, 13, 16, 17, 100, 130, 200})
      test_linear<T>(inputs, outputs, (inputs + outputs) % 3 != 0);
}

/// Rows of any size through the table, against plain code.
template <class T>
void test_rows(int64_t size) {
  const auto& kernels = weft::step_kernels<T>(weft::current_step_table());
  const std::string where = " of " + std::to_string(size) + " " + weft::isa();
  const Exact<T> x(random_numbers<T>(2 * size, 4, 3)), weight(random_numbers<T>(size, 5)),
      bias(random_numbers<T>(size, 6));
  Exact<T> y(size);
  const T* in = x.get();
  const auto compare = [&](const auto& expected, const std::string& what) {
    std::vector<double> values(size);
    for (int64_t i = 0; i < size; ++i) values[i] = expected(i);
    check_close(y.first(size), values, tolerance<T>, 1, what + where);
  };

  kernels.layer_norm(size, in, weight.get(), bias.get(), 1e-5, y.get());
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < size; ++i) mean += double(in[i]) / double(size);
  for (int64_t i = 0; i < size; ++i) variance += (in[i] - mean) * (in[i] - mean) / double(size);
  const double inverse = 1 / std::sqrt(variance + double(T(1e-5)));
  compare([&](int64_t i) { return (in[i] - mean) * inverse * weight.get()[i] + bias.get()[i]; },
          "layer_norm");

  const auto cube = [](double v) { return std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v); };
  double (*const activations[])(double, double) = {
      [](double v, double) { return v > 0 ? v : 0; },
      [](double v, double) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); },
      [](double v, double cubed) { return 0.5 * v * (1 + std::tanh(cubed)); },
      [](double v, double) { return v * sigmoid(v); },
      [](double v, double) { return sigmoid(v); },
      [](double v, double) { return std::tanh(v); }};
  for (int a = 0; a < 6; ++a) {
    kernels.activation[a](size, in, y.get());
    compare([&](int64_t i) { return activations[a](in[i], cube(in[i])); }, "activation " + std::to_string(a));
  }
  kernels.swiglu(size, in, y.get());
  compare([&](int64_t i) { return double(in[i]) * sigmoid(double(in[i])) * double(in[size + i]); }, "swiglu");
}

/// One query, as a stream asks: heads lie side by side, keys in a cache with room for more, and the workspace
/// is that of the full cache.
template <class T>
void test_attention(int64_t heads, int64_t kv_heads, int64_t size, int64_t keys, int64_t left) {
  const auto& kernels = weft::step_kernels<T>(weft::current_step_table());
  const int64_t capacity = 700;
  const Exact<T> q(random_numbers<T>(heads * size, 7)), k(random_numbers<T>(kv_heads * capacity * size, 8)),
      v(random_numbers<T>(kv_heads * capacity * size, 9));
  Exact<T> out(heads * size), normalizer(2 * heads);
  weft::AttentionForward<T> call{};
  weft::Attention<T>& p = call.arguments;
  p.batch = 1, p.heads = heads, p.kv_heads = kv_heads, p.queries = 1, p.keys = capacity;
  p.size = p.value_size = size;
  p.q = q.get(), p.k = k.get(), p.v = v.get();
  p.q_stride[1] = size, p.q_stride[2] = heads * size;
  p.k_stride[1] = p.v_stride[1] = capacity * size, p.k_stride[2] = p.v_stride[2] = size;
  p.scale = T(0.25), p.left = left, p.right = 0, p.from_end = true, p.kept_scale = 1;
  const Exact<char> workspace(kernels.attention_workspace(p));
  p.keys = keys;
  call.out = out.get(), call.normalizer = normalizer.get(), call.workspace = workspace.get();
  call.out_stride[1] = size, call.out_stride[2] = heads * size;
  kernels.attention(call);

  std::vector<double> expected(heads * size);
  const int64_t first = left < 0 ? 0 : std::max(keys - 1 - left, int64_t(0));
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t of = h / (heads / kv_heads) * capacity * size;
    double sum = 0;
    for (int64_t s = first; s < keys; ++s) {
      double score = 0;
      for (int64_t d = 0; d < size; ++d)
        score += double(q.get()[h * size + d]) * double(k.get()[of + s * size + d]);
      const double weight = std::exp(0.25 * score);
      sum += weight;
      for (int64_t d = 0; d < size; ++d)
        expected[h * size + d] += weight * double(v.get()[of + s * size + d]);
    }
    for (int64_t d = 0; d < size; ++d) expected[h * size + d] /= sum;
  }
  check_close(out.first(heads * size), expected, tolerance<T>, 1,
              "attention of " + std::to_string(heads) + " heads of " + std::to_string(size) + " over " +
                  std::to_string(keys) + " keys " + weft::isa());
}

template <class T>
void test_all() {
  test_cells<T>();
  test_linears<T>();
  for (int64_t size : {1, 3, 8, 15, 16, 17, 33, 100}) test_rows<T>(size);
  for (int64_t size : {3, 8, 16, 20, 64})
    for (int64_t keys : {1, 5, 17, 300, 700})
      for (int64_t left : {-1, 20}) test_attention<T>(4, keys % 2 == 0 ? 4 : 2, size, keys, left);
}

}  // namespace

int main() {
  for (const std::string& name : weft::available_isas()) {
    weft::set_isa(name);
    check(weft::current_step_table().isa == name, "the table of " + name);
    test_all<float>();
    test_all<double>();
  }
  return failures();
}
