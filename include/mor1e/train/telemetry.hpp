// What a run says about itself: one JSON object a step, progress on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/io/open_file.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e::train {

/// Largest resident memory of this process so far, in bytes (0 where the system does not say).
std::uint64_t peak_memory();

/// {"entropy": {"q_proj": [one a layer], ...}, "effective_experts": ..., "largest_load": ...}: by projection, in the
/// order of the layers, to four digits. Entropy in nats; effective experts are exp of the entropy of the loads.
nlohmann::json summarise_routers(const std::vector<linear_load>& routers);
/// Auxiliary losses of groups as arrays over the layers, under the name of each group's first projection.
nlohmann::json summarise_auxiliary(const std::vector<std::pair<std::string, double>>& of_groups);

/// A file of JSON lines, flushed line by line. On resume it is cut to the length it had when the state was saved.
class json_log {
 public:
  /// Throws `io_error` if the file cannot be opened or is shorter than `keep` bytes.
  json_log(const std::filesystem::path& path, std::uint64_t keep);
  void write(const nlohmann::json& line);
  /// Bytes written so far.
  std::uint64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  std::uint64_t size_;
  io::detail::descriptor out_;
};

/// A line on stderr with rate and time left: rewritten in place on a terminal, a plain line now and then elsewhere.
/// Silent for the first two seconds.
class progress {
 public:
  progress(std::string label, std::int64_t total, bool quiet);
  ~progress();
  /// `done` of `total`; `note` is appended (loss, tokens per second).
  void show(std::int64_t done, const std::string& note = {});
  void finish();

 private:
  using clock = std::chrono::steady_clock;
  std::string label_;
  std::int64_t total_, first_ = -1;
  bool quiet_, terminal_, shown_ = false;
  clock::time_point begin_, last_;
};

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/telemetry.ipp"
#endif
