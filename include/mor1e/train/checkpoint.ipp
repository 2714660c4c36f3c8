// Definitions of train/checkpoint.hpp.
#pragma once

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/train/checkpoint.hpp"

namespace mor1e::train {

MOR1E_INLINE bool has_checkpoint(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "checkpoint" / "state.json");
}

MOR1E_INLINE std::vector<std::string> check_settings(const nlohmann::json& saved, const nlohmann::json& now, const std::string& where) {
  const auto shown = [](const nlohmann::json& object, const std::string& key) {
    return object.contains(key) ? object[key].dump() : std::string("absent");
  };
  const auto keys = [](const nlohmann::json& a, const nlohmann::json& b) {
    nlohmann::json all = a;
    all.update(b);
    return all;
  };
  std::vector<std::string> advice;
  for (const auto& [key, value] : keys(saved, now).items()) {
    if (key == "advice") {
      for (const auto& [name, ignored] : keys(saved.value("advice", nlohmann::json::object()), now.value("advice", nlohmann::json::object())).items()) {
        const std::string before = shown(saved["advice"], name), after = shown(now["advice"], name);
        if (before != after) advice.push_back(text(name, " was ", before, " and is ", after));
      }
      continue;
    }
    const std::string before = shown(saved, key), after = shown(now, key);
    require<value_error>(before == after, "resume: ", where, " was run with ", key, " ", before, ", this run has ", after);
  }
  return advice;
}

namespace detail {

MOR1E_INLINE void write_checkpoint(const std::filesystem::path& folder, const run_state& state, std::int64_t adam_steps,
                                   const std::vector<io::stored_tensor>& tensors) {
  io::atomic_folder out(folder / "checkpoint");
  io::write_safetensors(out.path() / "state.safetensors", tensors);
  io::write_json(out.path() / "state.json", {{"step", state.step},
                                             {"sampler_position", state.sampler_position},
                                             {"log_bytes", state.log_bytes},
                                             {"adam_steps", adam_steps},
                                             {"settings", state.settings}});
  out.commit();
}

MOR1E_INLINE run_state read_state(const std::filesystem::path& folder, std::int64_t& adam_steps) {
  const std::filesystem::path path = folder / "checkpoint" / "state.json";
  const nlohmann::json json = io::read_json(path);
  try {
    adam_steps = json.at("adam_steps").get<std::int64_t>();
    return {json.at("step").get<std::int64_t>(), json.at("sampler_position").get<std::int64_t>(), json.at("log_bytes").get<std::uint64_t>(),
            json.at("settings")};
  } catch (const nlohmann::json::exception& e) {
    throw io_error(text(path.string(), ": ", e.what()));
  }
}

}  // namespace detail
}  // namespace mor1e::train
