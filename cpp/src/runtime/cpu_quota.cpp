// Version 2 of control groups has "<quota> <period>" in cpu.max, in microseconds, "max" for none; version 1
// has two files. The quota of a group's parents holds too.
#include "src/runtime/cpu_quota.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <fstream>

namespace weft {
namespace {

int processors_of(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return INT_MAX;
  return int(std::clamp(std::ceil(quota / period), 1.0, double(INT_MAX)));
}

int of_group(const std::string& folder, bool unified) {
  double quota = 0, period = 0;
  if (unified) {
    std::ifstream file(folder + "/cpu.max");
    file >> quota >> period;  // "max" is no number: it leaves 0
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return processors_of(quota, period);
}

/// Of a group and those above it, below the folder where they are mounted.
int of_groups(const std::string& mount, std::string group, bool unified) {
  int processors = INT_MAX;
  for (;;) {
    processors = std::min(processors, of_group(mount + group, unified));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos || group.empty()) return processors;
    group.resize(slash);
  }
}

bool names_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

int processors_of_quota(const std::string& root) {
  int processors = INT_MAX;
  std::ifstream groups(root + "/proc/self/cgroup");  // lines of <number>:<controllers>:<group>
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string group = line.substr(second + 1);
    if (group == "/") group.clear();
    const std::string mounts = root + "/sys/fs/cgroup";
    const bool unified = controllers.empty();
    if (!unified && !names_cpu(controllers)) continue;
    for (const char* mount : {unified ? "" : "/cpu", unified ? "/unified" : "/cpu,cpuacct"})
      processors = std::min(processors, of_groups(mounts + mount, group, unified));
  }
  return processors;
}

int processors_of_quota() { return processors_of_quota(""); }

}  // namespace weft
