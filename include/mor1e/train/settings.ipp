// Definitions of train/settings.hpp.
#pragma once

#include <cmath>
#include <cstdlib>

#include "mor1e/core/error.hpp"
#include "mor1e/train/settings.hpp"

namespace mor1e::train {

MOR1E_INLINE schedule_settings schedule_of(std::string_view name) {
  std::string known;
  for (const preset& p : presets) {
    if (p.name == name) return p.schedule;
    known += mor1e::text(known.empty() ? "" : ", ", p.name);
  }
  throw value_error(mor1e::text("preset '", name, "' is not known (", known, " are)"));
}

MOR1E_INLINE index_t total_steps(const schedule_settings& schedule, index_t examples) {
  require<value_error>(schedule.batch >= 1, "batch ", schedule.batch, " is below 1");
  require<value_error>(schedule.steps > 0 || schedule.epochs * double(examples) < 1e15, schedule.epochs,
                       " epochs over ", examples, " examples have no end");
  const index_t steps = schedule.steps > 0
                            ? schedule.steps
                            : index_t(std::ceil(schedule.epochs * double(examples) / double(schedule.batch)));
  require<value_error>(steps >= 1, "a run of ", schedule.epochs, " epochs over ", examples, " examples has no step");
  return steps;
}

MOR1E_INLINE std::uint64_t parse_bytes(const std::string& written) {
  char* rest = nullptr;
  const double number = std::strtod(written.c_str(), &rest);
  const std::string unit = rest;
  const struct {
    const char* name;
    double bytes;
  } units[] = {{"", 1},     {"B", 1},        {"kB", 1e3},        {"MB", 1e6},
               {"GB", 1e9}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  for (const auto& u : units)
    if (rest != written.c_str() && unit == u.name && number > 0) return std::uint64_t(number * u.bytes);
  throw value_error(mor1e::text("'", written, "' is no amount of memory (900MB, 2.4GB, 1GiB are)"));
}

}  // namespace mor1e::train
