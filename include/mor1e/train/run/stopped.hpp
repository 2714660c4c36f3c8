// A run that was told to stop.
#pragma once

#include <stdexcept>
#include <string>

namespace mor1e::train {

/// Thrown behind a checkpoint, with what the user is to know.
struct stopped : std::runtime_error {
  stopped(int by, const std::string& why) : std::runtime_error(why), signal(by) {}
  int signal;  ///< that it was told by
};

}  // namespace mor1e::train
