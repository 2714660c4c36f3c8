// What the log says of a step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/quartiles.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e::program {

/// One line of the log.
inline nlohmann::json log_line(const train::step_report& report, std::int64_t step, double rate, double seconds,
                               std::span<const std::vector<double>> gates) {
  nlohmann::json line = {{"step", step},
                         {"loss", report.loss},
                         {"lr", rate},
                         {"gradient_norm", report.gradient_norm},
                         {"targets", report.targets},
                         {"tokens", report.tokens},
                         {"tokens_per_second", double(report.tokens) / seconds},
                         {"peak_memory", train::peak_memory()}};
  if (report.auxiliary != 0) line["auxiliary"] = report.auxiliary;
  if (!report.auxiliary_of.empty()) line["auxiliary_of"] = train::summarise_auxiliary(report.auxiliary_of);
  if (!report.routers.empty()) line["routers"] = train::summarise_routers(report.routers);
  if (!gates[0].empty()) line["gate_a"] = quartiles(gates[0]), line["gate_b"] = quartiles(gates[1]);
  if (!report.gradient_a.empty())
    line["gradient_a"] = quartiles(report.gradient_a), line["gradient_b"] = quartiles(report.gradient_b);
  return line;
}

}  // namespace mor1e::program
