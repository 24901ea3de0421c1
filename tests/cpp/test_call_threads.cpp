// Threads per call: whatever a call asks for, the bits are the same, in a child after fork() too.
#include <sys/wait.h>
#include <unistd.h>

#include "everywhere.hpp"
#include "memory.hpp"
#include "weft/dense.hpp"
#include "weft/pointwise.hpp"
#include "weft/recurrent.hpp"

namespace weft::test {
namespace {

// Large enough that threads are worth it.
constexpr int64_t rows = 512, inputs = 128, outputs = 256, elements = 1 << 18;

std::vector<float> linear(int threads) {
  const auto x = random_numbers<float>(rows * inputs, 1), weight = random_numbers<float>(outputs * inputs, 2);
  std::vector<float> y(rows * outputs), workspace(linear_forward_workspace<float>(inputs, outputs, threads));
  linear_forward<float>(view(x, rows, inputs), view(weight, outputs, inputs), {}, view(y, rows, outputs),
                        view(workspace), threads);
  return y;
}

std::vector<float> dropout(int threads) {
  const auto x = random_numbers<float>(elements, 3);
  std::vector<float> y(elements);
  dropout_forward<float>(view(x), 0.5, 1, 2, view(y), threads);
  return y;
}

std::vector<float> recurrent(int threads) {
  const int64_t B = 32, T = 20, I = 16, H = 64;
  const auto x = random_numbers<float>(B * T * I, 4), w_ih = random_numbers<float>(H * I, 5),
             w_hh = random_numbers<float>(H * H, 6, 0.1);
  std::vector<float> y(B * T * H), h_n(B * H);
  RecurrentArguments<float> a;
  a.cell = "rnn_tanh", a.x = view(x, B, T, I), a.w_ih = view(w_ih, H, I), a.w_hh = view(w_hh, H, H),
  a.threads = threads;
  const Memory workspace(recurrent_sizes(a, false).forward_workspace);
  recurrent_forward<float>({a, {view(y, B, T, H), view(h_n, B, H), {}}, nullptr, workspace.get()});
  return y;
}

void test_bits() {
  set_num_threads(1);  // a call's own number goes before it
  for (int threads : {2, 3, 0}) {
    check_same_bits(linear(threads), linear(1), "linear");
    check_same_bits(dropout(threads), dropout(1), "dropout");
    check_same_bits(recurrent(threads), recurrent(1), "recurrent");
  }
}

void test_workspace() {
  set_num_threads(2);
  const auto size = [](int threads) { return linear_forward_workspace<float>(inputs, outputs, threads); };
  check(size(0) == size(2), "0 threads are not as many as there are");
  check(size(4) > size(1), "more threads need no more workspace");
  check(size(1 << 30) == size(1 << 20), "the number of threads has no bound");
}

/// The parent's helpers do not exist there: it starts its own.
void test_child_after_fork() {
  const std::vector<float> expected = linear(2);  // the team is there now
  recurrent(2);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const bool same = linear(2) == expected && dropout(2) == dropout(1) && recurrent(2) == recurrent(1);
    _exit(same ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked child that asks for two threads");
}

}  // namespace
}  // namespace weft::test

int main() {
  weft::test::test_bits();
  weft::test::test_workspace();
  weft::test::test_child_after_fork();
  return weft::test::failures();
}
