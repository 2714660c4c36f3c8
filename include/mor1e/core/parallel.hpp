// A small pool of threads for row kernels: static division, no allocation per call.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "mor1e/core/function_ref.hpp"
#include "mor1e/core/processors.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e {

/// Runs the same function once for each of `size()` indices, the caller being one thread of them. One region at a time;
/// not reentrant.
class thread_pool {
 public:
  /// `threads` 0: one for each processor this process may use.
  explicit thread_pool(int threads = 0)
      : size_(threads > 0 ? threads : available_processors()), claimed_(std::size_t(size_)) {
    for (int i = 1; i < size_; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    call_ = nullptr;
    announce();
    for (std::thread& worker : workers_) worker.join();
  }

  int size() const { return size_; }

  /// Calls f(index) for every index below `size()`, each on one thread, and returns when all are done. `f` must not
  /// throw, nor wait for another index: those of threads that the system has not woken are called here.
  void run(function_ref<void(int index)> f) {
    if (size_ == 1) {
      f(0);
      return;
    }
    call_ = &f;
    pending_.store(size_ - 1, std::memory_order_relaxed);
    const std::uint32_t region = announce();
    f(0);
    for (int i = 1; i < size_ && pending_.load(std::memory_order_acquire) != 0; ++i)
      if (claim(i, region)) finish(i);
    for (int spin = 0; pending_.load(std::memory_order_acquire) != 0; ++spin)
      if (spin > 2000) std::this_thread::yield();
  }

 private:
  std::uint32_t announce() {
    const std::uint32_t region = region_.fetch_add(1, std::memory_order_release) + 1;
    region_.notify_all();
    return region;
  }
  /// Whether the caller is the one to do that index: every index is claimed once a region, so that one whose last claim
  /// is not of the region before was taken by another, or belongs to a region that is over.
  bool claim(int index, std::uint32_t region) {
    std::uint32_t before = region - 1;
    return claimed_[std::size_t(index)].of.compare_exchange_strong(before, region, std::memory_order_acq_rel,
                                                                   std::memory_order_relaxed);
  }
  void finish(int index) {
    (*call_)(index);
    pending_.fetch_sub(1, std::memory_order_release);
  }
  void work(int index) {
    std::uint32_t seen = 0;
    for (;;) {
      // A step is a train of short regions: spin a little before sleeping.
      for (int spin = 0; region_.load(std::memory_order_acquire) == seen && spin < 4000; ++spin) pause();
      region_.wait(seen, std::memory_order_acquire);
      seen = region_.load(std::memory_order_acquire);
      if (!claim(index, seen)) continue;
      if (!call_) return;
      finish(index);
    }
  }
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  // What different threads write stands on lines of its own.
  struct alignas(64) claimed_index {
    std::atomic<std::uint32_t> of{0};  // the region of its last claim
  };

  int size_;
  std::vector<std::thread> workers_;
  std::vector<claimed_index> claimed_;
  const function_ref<void(int)>* call_ = nullptr;  // null: the pool is being destroyed
  alignas(64) std::atomic<std::uint32_t> region_{0};
  alignas(64) std::atomic<int> pending_{0};
};

/// f(begin, end) over [0, count) in at most `pool.size()` pieces of at least `grain`, the same pieces for the same
/// count and pool size. No template: a kernel that f holds is compiled once, not for each way of calling it.
inline void parallel_for(thread_pool& pool, index_t count, index_t grain,
                         function_ref<void(index_t begin, index_t end)> f) {
  const index_t pieces = std::clamp<index_t>(count / std::max<index_t>(grain, 1), 1, pool.size());
  if (pieces == 1) {
    if (count > 0) f(index_t(0), count);
    return;
  }
  pool.run([&](int thread) {
    const index_t begin = count * thread / pieces, end = count * (thread + 1) / pieces;
    if (thread < pieces && begin < end) f(begin, end);
  });
}

/// f(task, thread) for every task in [0, count), handed out as threads become free: for tasks of unequal size whose
/// results do not depend on who runs them.
inline void parallel_tasks(thread_pool& pool, index_t count, function_ref<void(index_t task, int thread)> f) {
  if (count <= 1 || pool.size() == 1) {
    for (index_t task = 0; task < count; ++task) f(task, 0);
    return;
  }
  std::atomic<index_t> next{0};
  pool.run([&](int thread) {
    for (index_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < count;) f(task, thread);
  });
}

}  // namespace mor1e
