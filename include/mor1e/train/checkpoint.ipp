// Definitions of train/checkpoint.hpp.
#pragma once

#include <set>

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
    std::set<std::string> all;
    for (const auto* object : {&a, &b})
      for (const auto& [key, value] : object->items()) all.insert(key);
    return all;
  };
  for (const std::string& key : keys(saved, now)) {
    if (key == "advice") continue;
    const std::string before = shown(saved, key), after = shown(now, key);
    require<value_error>(before == after, "resume: ", where, " was run with ", key, " ", before, ", this run has ", after);
  }
  std::vector<std::string> advice;
  const auto nested = [](const nlohmann::json& object) { return object.value("advice", nlohmann::json::object()); };
  const nlohmann::json was = nested(saved), is = nested(now);
  for (const std::string& key : keys(was, is))
    if (shown(was, key) != shown(is, key)) advice.push_back(text(key, " was ", shown(was, key), " and is ", shown(is, key)));
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
