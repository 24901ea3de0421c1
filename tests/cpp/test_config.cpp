// Which instruction set and how many threads: `test_config [isa]`, where CTest has set WEFT_ISA to that name.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "check.hpp"
#include "weft/config.hpp"

using namespace weft::test;

namespace {

void test_isas(const std::string& forced) {
  const auto isas = weft::available_isas();
  check(!isas.empty() && isas.front() == "baseline", "the baseline comes first and runs everywhere");
  check(weft::isa() == (forced.empty() ? isas.back() : forced), "in use is " + weft::isa());
  for (const auto& name : isas) {
    weft::set_isa(name);
    check(weft::isa() == name, "set_isa(\"" + name + "\") was not obeyed");
  }
  const std::string before = weft::isa();
  check_invalid([] { weft::set_isa("abacus"); }, {"set_isa: name", "baseline", "\"abacus\""});
  check(weft::isa() == before, "a refused name changed the instruction set");
}

void test_unknown_isa_in_the_environment() {
  setenv("WEFT_ISA", "abacus", 1);
  check_invalid([] { weft::isa(); }, {"WEFT_ISA", "baseline", "\"abacus\""});
  unsetenv("WEFT_ISA");
}

void test_threads() {
  weft::set_num_threads(2);
  check(weft::num_threads() == 2, "set_num_threads(2) was not obeyed");
  for (int threads : {0, -1})
    check_invalid([threads] { weft::set_num_threads(threads); },
                  {"set_num_threads: threads", std::to_string(threads)});
  check(weft::num_threads() == 2, "a refused number changed the number of threads");
  weft::set_num_threads(1 << 30);
  check(weft::num_threads() == 1024, "the number of threads has no bound");
}

/// The number of threads that WEFT_NUM_THREADS gives, in a child that has not asked yet.
int threads_from_environment(const char* text) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("WEFT_NUM_THREADS", text, 1);
    _exit(weft::num_threads() == 1024 ? 100 : weft::num_threads());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void test_threads_from_environment() {
  check(threads_from_environment("3") == 3, "WEFT_NUM_THREADS=3");
  for (const char* huge : {"1025", "99999999999", "99999999999999999999999"})
    check(threads_from_environment(huge) == 100, std::string("more than 1024 threads: ") + huge);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string forced = count > 1 ? arguments[1] : "";
  const auto isas = weft::available_isas();
  if (!forced.empty() && std::find(isas.begin(), isas.end(), forced) == isas.end()) return skipped;
  if (forced.empty()) test_unknown_isa_in_the_environment();
  test_isas(forced);
  test_threads_from_environment();
  test_threads();
  return failures();
}
