#include "mor1e/core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace mor1e;

namespace {

// Keeps `threads` processors busy while it lives, as other programs would.
class busy_machine {
 public:
  explicit busy_machine(int threads) {
    for (int i = 0; i < threads; ++i)
      others_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
  }
  ~busy_machine() {
    stop_ = true;
    for (std::thread& other : others_) other.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> others_;
};

// Of `regions` regions, how many called an index not exactly once, or returned before it was called.
int wrong_regions(thread_pool& pool, int regions) {
  std::vector<int> calls(std::size_t(pool.size()), 0);
  int wrong = 0;
  for (int region = 1; region <= regions; ++region) {
    pool.run([&](int index) { ++calls[std::size_t(index)]; });
    for (const int n : calls) wrong += n != region;
  }
  return wrong;
}

}  // namespace

TEST_CASE("every index is called once a region, by however many threads") {
  for (const int threads : {1, 2, 3, 8}) {
    CAPTURE(threads);
    thread_pool pool(threads);
    REQUIRE(pool.size() == threads);
    CHECK(wrong_regions(pool, 20000) == 0);
  }
}

TEST_CASE("also where others hold the processors, and after a pause in which the workers fell asleep") {
  const busy_machine others(2 * available_processors());
  thread_pool pool(4);
  for (int i = 0; i < 5; ++i) {
    CHECK(wrong_regions(pool, 500) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_CASE("what a thread that is not awake would do, the caller does") {
  const busy_machine others(2 * available_processors());
  thread_pool pool(4);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> taken{0};
  for (int region = 0; region < 5000; ++region)
    pool.run([&](int index) { taken += index > 0 && std::this_thread::get_id() == caller; });
  CHECK(taken > 0);
}

TEST_CASE("pools come and go, used or not") {
  for (int i = 0; i < 200; ++i) {
    thread_pool pool(3);
    if (i % 2 == 0) CHECK(wrong_regions(pool, i % 5) == 0);
  }
}

TEST_CASE("ranges and tasks are divided whole") {
  thread_pool pool(3);
  for (const index_t count : {0, 1, 2, 3, 7, 1000}) {
    CAPTURE(count);
    for (const index_t grain : {1, 4}) {
      std::vector<int> seen(std::size_t(count), 0);
      parallel_for(pool, count, grain, [&](index_t begin, index_t end) {
        for (index_t i = begin; i < end; ++i) ++seen[std::size_t(i)];
      });
      CHECK(std::count(seen.begin(), seen.end(), 1) == count);
    }
    std::vector<int> seen(std::size_t(count), 0);
    parallel_tasks(pool, count, [&](index_t task, int) { ++seen[std::size_t(task)]; });
    CHECK(std::count(seen.begin(), seen.end(), 1) == count);
  }
}
