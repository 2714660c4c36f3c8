// SIGINT, SIGTERM and SIGUSR1 (schedulers announce the end with it) in a program that has something to save first.
#pragma once

#include <csignal>
#include <cstddef>
#include <iterator>

namespace mor1e::program {

/// While it lives, the first of these signals is only noted; a second one ends the process at once. One that the parent
/// has turned off (nohup) stays off.
class stop_signals {
 public:
  stop_signals() {
    noted() = 0;
    struct ::sigaction note {};
    note.sa_handler = [](int signal) {
      for (const int each : signals) std::signal(each, SIG_DFL);
      if (noted()) ::raise(signal);  // two came at once
      noted() = signal;
    };
    note.sa_flags = SA_RESTART;
    for (const int each : signals) ::sigaddset(&note.sa_mask, each);
    for (std::size_t i = 0; i < std::size(signals); ++i) {
      ::sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(signals[i], &note, nullptr);
    }
  }
  ~stop_signals() {
    for (std::size_t i = 0; i < std::size(signals); ++i) ::sigaction(signals[i], &before_[i], nullptr);
    if (const int missed = noted(); missed && !taken_) ::raise(missed);
  }
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

  /// The signal that came, or 0. Who asks acts on it.
  int take() {
    taken_ = noted() != 0;
    return noted();
  }

 private:
  static constexpr int signals[] = {SIGINT, SIGTERM, SIGUSR1};
  static volatile std::sig_atomic_t& noted() {
    static volatile std::sig_atomic_t signal = 0;
    return signal;
  }
  struct ::sigaction before_[std::size(signals)] = {};
  bool taken_ = false;
};

}  // namespace mor1e::program
