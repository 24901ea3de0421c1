// Work in a child process that is watched for all that real time forbids.
//
// Between two marks a preloaded watcher (watch.c) counts allocations, locks and waits, and a seccomp filter
// lets no system call through: the first one ends the child, which says its number. Nothing is warmed up
// before the first mark: first calls are watched too. Linux on x86-64 and arm64.
#pragma once

#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "check.hpp"

namespace weft::test {

/// What was seen between the marks.
struct Verdict {
  bool finished = false;  ///< the work came to its end
  bool held = false;      ///< what the work returned
  long calls = 0;         ///< that the watcher counted
  char first[40] = "";    ///< the function called first
  int system_call = -1;   ///< the number of the one that ended it

  bool clean() const { return finished && held && calls == 0 && system_call < 0; }
  std::string text() const {
    if (system_call >= 0) return "system call " + std::to_string(system_call);
    if (!finished) return "it crashed";
    if (calls > 0) return std::to_string(calls) + " calls, the first of " + first;
    return held ? "clean" : "wrong results";
  }
};

namespace confinement {

/// The child's way to its parent: no other file may be written to between the marks.
inline constexpr int report_file = 777;

struct Watcher {
  void (*begin)();
  long (*end)(const char**);
};

inline Watcher watcher() {
  return {reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, "weft_watch_begin")),
          reinterpret_cast<long (*)(const char**)>(dlsym(RTLD_DEFAULT, "weft_watch_end"))};
}

inline void report(const Verdict& verdict) {
  const bool written = write(report_file, &verdict, sizeof verdict) == ssize_t(sizeof verdict);
  _exit(written ? 0 : 1);
}

inline void on_system_call(int, siginfo_t* info, void*) {
  Verdict verdict;
  verdict.system_call = info->si_syscall;
  report(verdict);
}

/// From here on the process may write its report and end. False where this machine has no seccomp.
inline bool forbid_system_calls() {
#if defined(__x86_64__)
  constexpr unsigned machine = AUDIT_ARCH_X86_64;
#else
  constexpr unsigned machine = AUDIT_ARCH_AARCH64;
#endif
  const auto load = [](size_t offset) {
    return sock_filter(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, unsigned(offset)));
  };
  // jump over `otherwise` instructions where the loaded word is not `value`
  const auto unless = [](unsigned value, unsigned char otherwise) {
    return sock_filter(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise));
  };
  const auto say = [](unsigned what) { return sock_filter(BPF_STMT(BPF_RET | BPF_K, what)); };
  sock_filter filter[] = {load(offsetof(seccomp_data, arch)),
                          unless(machine, 7),
                          load(offsetof(seccomp_data, nr)),
                          unless(SYS_exit_group, 1),
                          say(SECCOMP_RET_ALLOW),
                          unless(SYS_write, 3),
                          load(offsetof(seccomp_data, args[0])),
                          unless(report_file, 1),
                          say(SECCOMP_RET_ALLOW),
                          say(SECCOMP_RET_TRAP)};
  const sock_fprog program{sizeof filter / sizeof filter[0], filter};
  struct sigaction action{};
  action.sa_sigaction = on_system_call;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGSYS, &action, nullptr) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace confinement

/// prepare() gives the work, both in a child; work() runs between the marks and says whether its results
/// hold.
template <class Prepare>
Verdict confined(const Prepare& prepare) {
  using namespace confinement;
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], report_file);
    close(ends[0]), close(ends[1]);
    const Watcher watch = watcher();
    auto work = prepare();
    Verdict verdict;
    const char* first = nullptr;
    if (!forbid_system_calls()) _exit(skipped);
    watch.begin();
    verdict.held = work();
    verdict.calls = watch.end(&first);
    verdict.finished = true;
    if (first) std::strncpy(verdict.first, first, sizeof verdict.first - 1);
    report(verdict);
  }
  close(ends[1]);
  Verdict verdict;
  if (read(ends[0], &verdict, sizeof verdict) != ssize_t(sizeof verdict)) verdict = Verdict();
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return verdict;
}

/// Is all there that confined() needs? Where it is not, nothing can be shown.
inline bool can_confine() {
  if (!confinement::watcher().begin || !confinement::watcher().end) return false;
  return confined([] { return [] { return true; }; }).finished;
}

}  // namespace weft::test
