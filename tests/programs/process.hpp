// Programs that run in the background, to be killed.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/shell.hpp"

namespace mor1e::testing {

/// A built program in the folder of a shell; what it prints goes to killed.out and killed.err there.
class process {
 public:
  process(const shell& where, const std::string& program, const std::string& arguments) : id_(::fork()) {
    if (id_ != 0) return;
    const std::string command = "cd '" + (where / "").string() + "' && exec " MOR1E_PROGRAMS_DIR "/" + program + " " +
                                arguments + " >>killed.out 2>>killed.err";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ~process() { kill(); }
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  pid_t id() const { return id_; }
  /// As waitpid gave it, once it has ended.
  int status() const { return status_; }
  bool ended() {
    if (!ended_) ended_ = ::waitpid(id_, &status_, WNOHANG) == id_;
    return ended_;
  }
  /// SIGKILL. True unless it had ended by itself.
  bool kill() {
    if (ended_) return false;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, &status_, 0);
    ended_ = true;
    return WIFSIGNALED(status_);
  }
  /// Looks until something holds or it ends.
  bool wait_for(const std::function<bool()>& holds) {
    while (!ended())
      if (holds()) return true;
    return false;
  }

 private:
  pid_t id_;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace mor1e::testing
