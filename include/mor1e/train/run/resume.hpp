// Whether a run may go on from what is saved.
#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/run/observer.hpp"
#include "mor1e/train/run/settings.hpp"

namespace mor1e::train {

/// Throws unless a run can write all it will into its folder, and what lies there is of this run.
inline void require_outputs_inside(const run_request& r) {
  io::require_writable_folder(r.out);
  std::error_code none;
  if (!std::filesystem::exists(r.out, none)) return;
  for (const char* folder : {"checkpoint", "checkpoint.previous", "adapter"})
    io::require_writable_folder(r.out / folder, true);
  const bool ours = r.saved || std::filesystem::exists(r.out / options_file, none);
  for (const char* file : {options_file, "log.jsonl", "result.json", "embeddings.safetensors"}) {
    require<value_error>(ours || !std::filesystem::exists(r.out / file, none), (r.out / file).string(),
                         ": is of no run in this folder and would be replaced; give another --out");
    io::require_writable_file(r.out / file);
  }
}

/// Throws unless what is saved is a run with these settings, as far as it got: only its end, `steps`, may come later.
inline void check_saved(const run_request& r, const nlohmann::json& settings, index_t steps, run_observer& observer) {
  const run_state& saved = *r.saved;
  nlohmann::json was = saved.settings;
  const auto end = was.contains("steps") && was["steps"].is_number_integer() ? was["steps"].get<index_t>() : steps;
  if (end < steps) was["steps"] = steps;
  const std::string advice = check_settings(was, settings, r.out.string());
  require<io_error>(saved.step <= std::min(end, steps) && saved.sampler_position == saved.step * r.schedule.batch,
                    (saved.read_from / "state.json").string(), ": step ", saved.step, " of ", end, " and example ",
                    saved.sampler_position, " at ", r.schedule.batch, " a step do not fit");
  if (!advice.empty())
    observer.warning(r.out.string() + " " + advice + ": the resumed run is not bit for bit the same");
  if (end == steps) return;
  const auto rate = [&](index_t all) {
    return r.schedule.learning_rate * optim::cosine_with_warmup(saved.step, r.schedule.warmup, all);
  };
  char rates[64];
  std::snprintf(rates, sizeof rates, "(%.3g where %.3g was)", rate(steps), rate(end));
  observer.warning(text(r.out.string(), " was to end at step ", end, ", now at ", steps, ": from step ", saved.step + 1,
                        " on the learning rate is that of a run of ", steps, " steps ", rates,
                        ", so the result is neither run's"));
}

}  // namespace mor1e::train
