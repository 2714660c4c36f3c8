#include "mor1e/core/processors.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

TEST_CASE("processors that a quota pays for") {
  CHECK(detail::processors_of_quota("200000 100000\n") == 2);
  CHECK(detail::processors_of_quota("50000 100000") == 0.5);
  for (const char* unlimited : {"max 100000", "-1 100000", "", "200000", "200000 0", "x y"})
    CHECK(detail::processors_of_quota(unlimited) == HUGE_VAL);
}

TEST_CASE("the smallest quota of the groups around a process") {
  const testing::temporary_folder folder;
  const std::string groups = (folder / "groups").string();
  const auto quota = [&](const char* own) { return detail::smallest_quota(own, groups); };
  CHECK(quota("0::/a/b\n") == HUGE_VAL);
  std::filesystem::create_directories(groups + "/a/b");
  io::write_text(groups + "/a/b/cpu.max", "400000 100000\n");
  CHECK(quota("0::/a/b\n") == 4);
  io::write_text(groups + "/a/cpu.max", "150000 100000\n");
  CHECK(quota("0::/a/b\n") == 1.5);
  CHECK(quota("1:name=x:/a\n0::/a/b\n") == 1.5);
  CHECK(quota("0::/\n") == HUGE_VAL);
  io::write_text(groups + "/cpu.max", "100000 100000\n");
  CHECK(quota("0::/\n") == 1);
  CHECK(quota("4:cpu,cpuacct:/docker/1\n") == HUGE_VAL);
  std::filesystem::create_directories(groups + "/cpu");
  io::write_text(groups + "/cpu/cpu.cfs_quota_us", "300000\n");
  io::write_text(groups + "/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(quota("4:cpu,cpuacct:/docker/1\n") == 3);
}

#ifdef __linux__
TEST_CASE("no more than the affinity allows") {
  cpu_set_t before, one;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  CHECK(available_processors() >= 1);
  CHECK(available_processors() <= CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int i = 0; CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(available_processors() == 1);
  ::sched_setaffinity(0, sizeof before, &before);
}
#endif
