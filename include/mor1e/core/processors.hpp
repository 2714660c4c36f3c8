// How many processors a process may keep busy.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "mor1e/core/split.hpp"

namespace mor1e {

namespace detail {

/// Processors' worth of time in the "quota period" of a control group's cpu.max, microseconds both; infinite where it
/// says "max" or nothing that we can read.
inline double processors_of_quota(std::string_view cpu_max) {
  const auto number = [](std::string_view text) {
    std::int64_t value = 0;  // what is no number, as "max", stays 0
    std::from_chars(text.data(), text.data() + text.size(), value);
    return double(value);
  };
  const std::size_t space = cpu_max.find(' ');
  const double quota = number(cpu_max.substr(0, space));
  const double period = space == cpu_max.npos ? 0 : number(cpu_max.substr(space + 1));
  return quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

/// The first bytes of a file of the kernel's; empty where there is none.
inline std::string kernel_text(const std::string& path) {
  char bytes[4096];
  std::FILE* file = std::fopen(path.c_str(), "r");
  const std::size_t size = file ? std::fread(bytes, 1, sizeof bytes, file) : 0;
  if (file) std::fclose(file);
  return std::string(bytes, size);
}

/// The smallest quota of the control groups that a process is in, of /proc/self/cgroup's text. `groups` is where they
/// are mounted: version 2, or version 1 as containers see it.
inline double smallest_quota(std::string_view own_groups, const std::string& groups) {
  double smallest = processors_of_quota(kernel_text(groups + "/cpu/cpu.cfs_quota_us") + ' ' +
                                        kernel_text(groups + "/cpu/cpu.cfs_period_us"));
  for (std::string path : split(own_groups, '\n')) {
    if (!path.starts_with("0::/")) continue;
    for (path.erase(0, 3); !path.empty(); path.erase(path.rfind('/')))
      smallest = std::min(smallest, processors_of_quota(kernel_text(groups + path + "/cpu.max")));
    smallest = std::min(smallest, processors_of_quota(kernel_text(groups + "/cpu.max")));
  }
  return smallest;
}

}  // namespace detail

/// Those that its affinity allows, and no more than the quota of its container pays for, rounded up: further threads
/// would be stopped in the middle of what others wait for.
inline int available_processors() {
  int allowed = int(std::thread::hardware_concurrency());  // of the machine
#ifdef __linux__
  if (cpu_set_t own; ::sched_getaffinity(0, sizeof own, &own) == 0) allowed = CPU_COUNT(&own);
#endif
  const double quota = detail::smallest_quota(detail::kernel_text("/proc/self/cgroup"), "/sys/fs/cgroup");
  return int(std::clamp(std::ceil(quota), 1.0, std::max(1.0, double(allowed))));
}

}  // namespace mor1e
