// The kernels of training with several threads, at sizes that a race detector can take: every recurrent cell
// and attention, forward and backward. What they compute is checked elsewhere; here one, two and three
// threads must agree.
#include "attention_call.hpp"
#include "recurrent_call.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

template <class Compute>
void check_threads(const std::string& what, const Compute& compute) {
  const auto expected = compute(1);
  for (int threads : {2, 3}) {
    const auto results = compute(threads);
    for (size_t i = 0; i < results.size(); ++i)
      check_same_bits(results[i], expected[i], what + ", " + std::to_string(threads) + " threads");
  }
}

void test_recurrent(const weft::CellInfo& cell, const Options& options, const Size& size) {
  check_threads(std::string(cell.name) + " " + options.name, [&](int threads) {
    const Problem problem = make_problem(cell, options, size);
    RecurrentCall<float> call(problem, make_douts(problem), {threads, options.checkpoint_every});
    call.forward();
    call.backward();
    Arrays<float> results{call.out().y, call.out().h_n};
    for (const auto& gradient : call.gradients()) results.push_back(gradient);
    return results;
  });
}

void test_attention(const AttentionSize& size) {
  check_threads("attention", [&](int threads) {
    AttentionCall<float> call(size, threads);
    call.forward();
    call.backward();
    return call.results();
  });
}

}  // namespace

int main() {
  weft::set_num_threads(3);
  // Rows are split where there are many of them, hidden units where there are few.
  for (const auto& cell : weft::recurrent_cells()) {
    test_recurrent(cell, {.name = "rows", .lengths = true, .resets = true}, {9, 128, 24, 40});
    test_recurrent(cell, {.name = "units", .reverse = true, .checkpoint_every = 3}, {15, 2, 64, 256});
  }
  test_attention({2, 4, 2, 70, 300, 16, 16});
  test_attention({1, 1, 1, 300, 1500, 16, 16});  // one head: threads take turns at dq
  return failures();
}
