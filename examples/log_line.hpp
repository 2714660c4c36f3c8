// What the log says of a step.
#pragma once

#include <cstdint>

#include <nlohmann/json.hpp>

#include "mor1e/core/quartiles.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e::program {

/// One line of the log.
inline nlohmann::json log_line(const train::step_report& report, std::int64_t step, double rate, double seconds) {
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
  for (const train::gate_report& gate : report.gates)
    line["gate_" + gate.name] = quartiles(gate.values), line["gradient_" + gate.name] = quartiles(gate.gradients);
  return line;
}

}  // namespace mor1e::program
