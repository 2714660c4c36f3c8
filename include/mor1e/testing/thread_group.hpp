// Threads in place of the processes of a group.
#pragma once

#include <barrier>
#include <cstddef>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include "mor1e/distributed/process_group.hpp"

namespace mor1e::testing {

namespace detail {
struct meeting {
  explicit meeting(int size) : here(size), given(std::size_t(size)) {}
  std::barrier<> here;
  std::vector<std::byte*> given;
};

class thread_group final : public distributed::process_group {
 public:
  thread_group(meeting& all, int index) : all_(all), index_(index) {}
  int index() const override { return index_; }
  int size() const override { return int(all_.given.size()); }

  void exchange(const std::byte* mine, std::byte* theirs, std::size_t bytes) override {
    meet(mine, [&](std::size_t r, const std::byte* of) {
      if (bytes) std::memcpy(theirs + r * bytes, of + std::size_t(index_) * bytes, bytes);
    });
  }
  void gather(const std::byte* mine, std::byte* all, std::size_t bytes) override {
    meet(mine, [&](std::size_t r, const std::byte* of) {
      if (bytes) std::memcpy(all + r * bytes, of, bytes);
    });
  }
  void broadcast(std::byte* data, std::size_t bytes) override {
    meet(data, [&](std::size_t r, const std::byte* of) {
      if (r == 0 && index_ != 0 && bytes) std::memcpy(data, of, bytes);
    });
  }

 private:
  /// read(r, what r gave) for all, while what they gave lies still.
  template <class Read>
  void meet(const std::byte* mine, const Read& read) {
    all_.given[std::size_t(index_)] = const_cast<std::byte*>(mine);
    all_.here.arrive_and_wait();
    for (std::size_t r = 0; r < all_.given.size(); ++r) read(r, all_.given[r]);
    all_.here.arrive_and_wait();
  }

  meeting& all_;
  int index_;
};
}  // namespace detail

/// f(group) in `size` threads at once. What one of them throws is thrown again; the others must not wait for it then.
template <class F>
void in_threads(int size, const F& f) {
  detail::meeting all(size);
  std::vector<std::exception_ptr> failed(std::size_t(size), nullptr);
  std::vector<std::thread> threads;
  for (int index = 0; index < size; ++index)
    threads.emplace_back([&, index] {
      detail::thread_group group(all, index);
      try {
        f(group);
      } catch (...) {
        failed[std::size_t(index)] = std::current_exception();
      }
    });
  for (std::thread& each : threads) each.join();
  for (const std::exception_ptr& what : failed)
    if (what) std::rethrow_exception(what);
}

}  // namespace mor1e::testing
