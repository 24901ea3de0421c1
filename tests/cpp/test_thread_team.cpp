// Threads that help a call: every share runs once, whoever asks, from within shares and after fork() too; a
// call that shall end early; the share of the processors that a control group leaves.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <filesystem>
#include <fstream>
#include <thread>

#include "check.hpp"
#include "kernels/threads/thread_team.hpp"
#include "src/runtime/cpu_quota.hpp"
#include "weft/interruptible.hpp"

namespace weft::test {
namespace {

template <class Body>
void for_shares(int shares, const Body& body) {
  run_shares(
      shares, [](const void* work, int share, int count) { (*static_cast<const Body*>(work))(share, count); },
      &body);
}

/// Whether each of so many shares runs once, over many regions one after the other.
bool each_runs_once(int shares, int regions) {
  bool right = true;
  for (int region = 0; region < regions; ++region) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(shares));
    for_shares(shares, [&](int share, int count) {
      if (count == shares) runs[size_t(share)].fetch_add(1);
    });
    for (const auto& count : runs) right = right && count == 1;
  }
  return right;
}

void test_shares() {
  for (int shares : {1, 2, 3, 7, 64, 1024})
    check(each_runs_once(shares, 300), "shares: " + std::to_string(shares));
}

/// What a share has written is there when the region has ended, and what was written before it is there
/// inside.
void test_order() {
  int64_t wrong = 0;
  std::vector<int64_t> values(4, 0);
  for (int64_t region = 1; region <= 5000; ++region) {
    for_shares(4, [&](int share, int) {
      if (values[size_t(share)] == region - 1) values[size_t(share)] = region;
    });
    for (const int64_t value : values) wrong += value != region;
  }
  check(wrong == 0, "what shares wrote was not seen");
}

void test_within_shares() {
  std::atomic<int> runs{0};
  for_shares(5,
             [&](int, int) { for_shares(3, [&](int, int) { for_shares(2, [&](int, int) { ++runs; }); }); });
  check(runs == 30, "regions within shares ran " + std::to_string(runs) + " of 30 shares");
}

/// More callers at once than there are regions.
void test_many_callers() {
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 40; ++i) callers.emplace_back([&, i] { right += each_runs_once(1 + i % 5, 200); });
  for (std::thread& caller : callers) caller.join();
  check(right == 40, "callers at once: " + std::to_string(right) + " of 40 are right");
}

/// A share may wait for one that was taken before it.
void test_wait() {
  for (int round = 0; round < 200; ++round) {
    int turn = 0;
    std::atomic<int> next{0};
    for_shares(4, [&](int, int) {
      for (int task; (task = next++) < 12;) {
        wait_until(&turn, task);
        __atomic_store_n(&turn, task + 1, __ATOMIC_RELEASE);
      }
    });
    check(turn == 12, "turns ended at " + std::to_string(turn));
  }
}

/// Forks while other threads compute: the child finds a team that works, whatever theirs was doing.
void test_forks() {
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 3; ++i)
    busy.emplace_back([&] {
      while (!stop) each_runs_once(3, 1);
    });
  int right = 0;
  constexpr int forks = 60;
  for (int i = 0; i < forks; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      _exit(each_runs_once(3, 20) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    right += WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  stop = true;
  for (std::thread& thread : busy) thread.join();
  check(right == forks, std::to_string(right) + " of " + std::to_string(forks) + " children computed");
}

void test_interruptible() {
  check(!interrupted(), "interrupted without being asked for");
  static bool asked, answer;
  const auto stop = [] {
    asked = true;
    return answer;
  };
  const auto until_asked = [&] {
    for (asked = false; !asked;) interrupted();
  };
  {
    const Interruptible calls(stop);
    until_asked();
    check(!calls.interrupted() && !interrupted(), "interrupted by an answer of false");
    answer = true;
    {
      const Interruptible inner([] { return false; });
      check(!interrupted(), "the inner one's answer counts");
    }
    until_asked();
    check(calls.interrupted() && interrupted(), "not interrupted by an answer of true");
    std::atomic<int> seen{0};
    for_shares(4, [&](int, int) { seen += interrupted(); });
    check(seen == 4, "only " + std::to_string(seen) + " of 4 shares know");
  }
  check(!interrupted(), "interrupted after its end");
}

struct Group {
  const char *membership, *file, *text;
  int processors;
};

void test_quota() {
  const auto root = std::filesystem::temp_directory_path() / ("weft_quota_" + std::to_string(getpid()));
  const auto write = [&](const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  };
  check(processors_of_quota(root.string()) == INT_MAX, "a quota where there are no control groups");
  for (const Group& group : {
           Group{"0::/", "cpu.max", "max 100000\n", INT_MAX},
           Group{"0::/", "cpu.max", "150000 100000\n", 2},
           Group{"0::/a/b", "a/b/cpu.max", "50000 100000\n", 1},
           Group{"0::/a/b", "a/cpu.max", "300000 100000\n", 3},  // of its parent
           Group{"0::/not/mounted", "cpu.max", "400000 100000\n", 4},
           Group{"0::/", "unified/cpu.max", "200000 100000\n", 2},
           Group{"3:cpuset:/\n2:cpu,cpuacct:/x", "cpu,cpuacct/x/cpu.cfs_quota_us", "250000\n", 3},
           Group{"1:cpu:/", "cpu/cpu.cfs_quota_us", "-1\n", INT_MAX},
           Group{"1:cpuset:/", "cpu/cpu.cfs_quota_us", "100000\n", INT_MAX},  // not of this controller
           Group{"0::/", "cpu.max", "nonsense", INT_MAX},
       }) {
    std::filesystem::remove_all(root);
    write("proc/self/cgroup", std::string(group.membership) + "\n");
    write(std::string("sys/fs/cgroup/") + group.file, group.text);
    const std::string quota_file = group.file;
    if (const size_t v1 = quota_file.find("cpu.cfs_quota_us"); v1 != std::string::npos)
      write("sys/fs/cgroup/" + quota_file.substr(0, v1) + "cpu.cfs_period_us", "100000\n");
    const int found = processors_of_quota(root.string());
    check(found == group.processors,
          std::string(group.file) + ": " + group.text + " gave " + std::to_string(found));
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace weft::test

int main() {
  using namespace weft::test;
  test_shares();
  test_order();
  test_within_shares();
  test_many_callers();
  test_wait();
  test_forks();
  test_interruptible();
  test_quota();
  return failures();
}
