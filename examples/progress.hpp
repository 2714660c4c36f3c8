// A line that shows how far a long run is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <unistd.h>

#include <fmt/format.h>

namespace mor1e::program {

/// "embed: 1200 of 5000 sentences, 310/s, 12 s left" on stderr, over itself: from the third second on, if a person is
/// looking (stderr is a terminal). Gone when destroyed.
class progress_line {
 public:
  progress_line(std::string name, std::string unit, bool quiet)
      : name_(std::move(name)), unit_(std::move(unit)), visible_(!quiet && isatty(STDERR_FILENO)) {}
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;
  ~progress_line() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  void update(std::size_t done, std::size_t all) {
    const double seconds = std::chrono::duration<double>(clock::now() - start_).count();
    if (!visible_ || seconds < 2 || done == 0) return;
    const double rate = double(done) / seconds;
    const std::string line = fmt::format("\r\033[K{}: {} of {} {}, {:.3g}/s, {:.0f} s left", name_, done, all, unit_,
                                         rate, double(all - done) / rate);
    std::fputs(line.c_str(), stderr);  // and if it cannot be shown, the work goes on
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  using clock = std::chrono::steady_clock;
  std::string name_, unit_;
  bool visible_, shown_ = false;
  clock::time_point start_ = clock::now();
};

}  // namespace mor1e::program
