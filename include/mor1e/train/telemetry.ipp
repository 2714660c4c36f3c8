// Definitions of train/telemetry.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "mor1e/core/error.hpp"
#include "mor1e/core/quartiles.hpp"
#include "mor1e/train/telemetry.hpp"

namespace mor1e::train {

MOR1E_INLINE std::uint64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

namespace detail {

/// To four digits: a line of the log has hundreds of them.
inline double short_number(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double unit = std::pow(10.0, 3 - std::floor(std::log10(std::abs(value))));
  return std::round(value * unit) / unit;
}
inline std::string projection_of(const std::string& linear) { return linear.substr(linear.rfind('.') + 1); }

}  // namespace detail

MOR1E_INLINE nlohmann::json summarise_routers(const std::vector<linear_load>& routers) {
  nlohmann::json out;
  for (const linear_load& r : routers) {
    const std::string projection = detail::projection_of(r.linear);
    double spread = 0;
    for (const double w : r.load)
      if (w > 0) spread -= w * std::log(w);
    out["entropy"][projection].push_back(detail::short_number(r.entropy));
    out["effective_experts"][projection].push_back(detail::short_number(std::exp(spread)));
    out["largest_load"][projection].push_back(
        detail::short_number(r.load.empty() ? 0 : *std::max_element(r.load.begin(), r.load.end())));
  }
  return out;
}

MOR1E_INLINE nlohmann::json summarise_auxiliary(const std::vector<std::pair<std::string, double>>& of_groups) {
  nlohmann::json out;
  for (const auto& [linear, loss] : of_groups) out[detail::projection_of(linear)].push_back(detail::short_number(loss));
  return out;
}

MOR1E_INLINE nlohmann::json log_line(const step_report& report, std::int64_t step, double rate, double seconds) {
  nlohmann::json line = {{"step", step},
                         {"loss", report.loss},
                         {"lr", rate},
                         {"gradient_norm", report.gradient_norm},
                         {"targets", report.targets},
                         {"tokens", report.tokens},
                         {"tokens_per_second", double(report.tokens) / seconds},
                         {"peak_memory", peak_memory()}};
  if (report.auxiliary != 0) line["auxiliary"] = report.auxiliary;
  if (!report.auxiliary_of.empty()) line["auxiliary_of"] = summarise_auxiliary(report.auxiliary_of);
  if (!report.routers.empty()) line["routers"] = summarise_routers(report.routers);
  for (const gate_report& gate : report.gates)
    line["gate_" + gate.name] = quartiles(gate.values), line["gradient_" + gate.name] = quartiles(gate.gradients);
  return line;
}

namespace detail {

/// Cuts a log to what its checkpoint knows of, and opens it behind that.
inline io::detail::descriptor open_log(const std::filesystem::path& path, std::uint64_t keep) {
  std::error_code failed;
  const auto kind = std::filesystem::status(path, failed).type();
  const bool device = kind != std::filesystem::file_type::not_found &&
                      kind != std::filesystem::file_type::regular;  // holds nothing to cut
  if (keep > 0 && !device) {
    const std::uint64_t found = std::filesystem::file_size(path, failed);
    require<io_error>(!failed && found >= keep, path.string(), ": the log has ", failed ? 0 : found,
                      " bytes, the checkpoint knows of ", keep);
    std::filesystem::resize_file(path, keep);
  }
  return io::detail::open_to_write(path, O_CREAT | (keep > 0 ? O_APPEND : O_TRUNC));
}

}  // namespace detail

MOR1E_INLINE json_log::json_log(const std::filesystem::path& path, std::uint64_t keep)
    : path_(path), size_(keep), out_(detail::open_log(path, keep)) {}

MOR1E_INLINE void json_log::write(const nlohmann::json& line) {
  const std::string written = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  io::detail::write_all(out_.file, written.data(), written.size(), path_);
  size_ += written.size();
}

MOR1E_INLINE progress::progress(std::string label, std::int64_t total, bool quiet)
    : label_(std::move(label)),
      total_(total),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO)),
      begin_(clock::now()),
      last_(begin_) {}

MOR1E_INLINE progress::~progress() { finish(); }

MOR1E_INLINE void progress::show(std::int64_t done, const std::string& note) {
  if (quiet_) return;
  if (first_ < 0) first_ = done - 1;
  const auto now = clock::now();
  const double elapsed = std::chrono::duration<double>(now - begin_).count(),
               since = std::chrono::duration<double>(now - last_).count();
  if (elapsed < 2 || since < (terminal_ ? 0.2 : 15.0)) return;
  last_ = now;
  shown_ = true;
  const double rate = double(done - first_) / elapsed;
  const long left = rate > 0 ? std::lround(double(total_ - done) / rate) : 0;
  std::fprintf(stderr, "%s%s %lld/%lld  %s%s%ld:%02ld left%s", terminal_ ? "\r\033[K" : "", label_.c_str(),
               static_cast<long long>(done), static_cast<long long>(total_), note.c_str(), note.empty() ? "" : "  ",
               left / 60, left % 60, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

MOR1E_INLINE void progress::finish() {
  if (shown_ && terminal_) std::fprintf(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace mor1e::train
