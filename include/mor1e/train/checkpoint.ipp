// Definitions of train/checkpoint.hpp.
#pragma once

#include <set>
#include <system_error>
#include <utility>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/train/checkpoint.hpp"

namespace mor1e::train {

namespace detail {

/// Where two objects differ: "name value", fields of objects inside as "outer.inner".
struct setting_differences {
  std::string saved, now;

  void compare(const std::string& name, const nlohmann::json* a, const nlohmann::json* b) {
    if (a && b && *a == *b) return;
    if (a && b && a->is_object() && b->is_object()) {
      std::set<std::string> keys;
      for (const auto* object : {a, b})
        for (const auto& [key, value] : object->items()) keys.insert(key);
      const auto in = [](const nlohmann::json* object, const std::string& key) {
        return object->contains(key) ? &(*object)[key] : nullptr;
      };
      for (const std::string& key : keys) compare(name.empty() ? key : name + "." + key, in(a, key), in(b, key));
      return;
    }
    for (auto [value, into] : {std::pair(a, &saved), std::pair(b, &now)})
      *into += text(into->empty() ? "" : ", ", name, " ", value ? value->dump() : "absent");
  }
};

}  // namespace detail

MOR1E_INLINE bool has_checkpoint(const std::filesystem::path& folder) {
  std::error_code none;
  return std::filesystem::exists(folder / "checkpoint", none);
}

MOR1E_INLINE std::string check_settings(const nlohmann::json& saved, const nlohmann::json& now,
                                        const std::string& where) {
  detail::setting_differences firm, advice;
  const auto firm_part = [](nlohmann::json object) { return object.erase("advice"), object; };
  const nlohmann::json was = firm_part(saved), is = firm_part(now);
  firm.compare("", &was, &is);
  require<value_error>(firm.now.empty(), "resume: ", where, " was run with ", firm.saved, "; this run has ", firm.now);
  const auto advice_part = [](const nlohmann::json& object) {
    return object.value("advice", nlohmann::json::object());
  };
  const nlohmann::json advised = advice_part(saved), advises = advice_part(now);
  advice.compare("", &advised, &advises);
  return advice.now.empty() ? "" : text(where, " was run with ", advice.saved, "; now ", advice.now);
}

namespace detail {

MOR1E_INLINE void write_checkpoint(const std::filesystem::path& folder, const run_state& state, std::int64_t adam_steps,
                                   const std::vector<io::stored_tensor>& tensors) {
  io::atomic_folder out(folder / "checkpoint");
  io::write_safetensors(out.path() / "state.safetensors", tensors);
  io::write_json(out.path() / "state.json", {{"step", state.step},
                                             {"sampler_position", state.sampler_position},
                                             {"log_bytes", state.log_bytes},
                                             {"first_loss", state.totals.first_loss},
                                             {"last_loss", state.totals.last_loss},
                                             {"tokens", state.totals.tokens},
                                             {"seconds", state.totals.seconds},
                                             {"adam_steps", adam_steps},
                                             {"settings", state.settings}});
  out.commit();
}

MOR1E_INLINE run_state read_state(const std::filesystem::path& folder, std::int64_t& adam_steps) {
  const std::filesystem::path path = folder / "checkpoint" / "state.json";
  const nlohmann::json json = io::read_json(path);
  const auto field = [&](const char* name, bool (nlohmann::json::*is)() const noexcept,
                         const char* what) -> const nlohmann::json& {
    const bool there = json.is_object() && json.contains(name);
    require<io_error>(there && (json[name].*is)(), path.string(), ": field '", name, "' is ",
                      there ? json[name].dump() : "missing", "; it has to be ", what);
    return json[name];
  };
  const auto count = [&](const char* name) {
    return field(name, &nlohmann::json::is_number_unsigned, "a number from 0 on").get<std::int64_t>();
  };
  const auto number = [&](const char* name) {
    return field(name, &nlohmann::json::is_number, "a number").get<double>();
  };
  run_state out;
  out.step = count("step");
  out.sampler_position = count("sampler_position");
  out.log_bytes = std::uint64_t(count("log_bytes"));
  out.totals = {number("first_loss"), number("last_loss"), count("tokens"), number("seconds")};
  out.settings = field("settings", &nlohmann::json::is_object, "an object");
  adam_steps = count("adam_steps");
  require<io_error>(adam_steps == out.step, path.string(), ": ", out.step, " steps, but ", adam_steps,
                    " of the optimiser");
  return out;
}

}  // namespace detail
}  // namespace mor1e::train
