// How many processors a process may keep busy.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "mor1e/core/split.hpp"

namespace mor1e {

namespace detail {

/// Processors' worth of time in the "quota period" of a control group's cpu.max, microseconds both; infinite where it
/// says "max" or nothing that we can read.
inline double processors_of_quota(std::string_view cpu_max) {
  const auto number = [](std::string_view text) {
    double value = 0;
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc() ? value : 0;
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

/// Those that its affinity allows, and no more than the quota of its container pays for: threads beyond that would be
/// stopped together, in the middle of what others wait for.
inline int available_processors() {
  const double quota = detail::smallest_quota(detail::kernel_text("/proc/self/cgroup"), "/sys/fs/cgroup");
  const int allowed = std::max(1, int(std::thread::hardware_concurrency()));
  return int(std::min(double(allowed), std::max(1.0, std::ceil(quota))));
}

}  // namespace mor1e
