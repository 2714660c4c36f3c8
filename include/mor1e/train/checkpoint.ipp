// Definitions of train/checkpoint.hpp.
#pragma once

#include <algorithm>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/train/checkpoint.hpp"

namespace mor1e::train {

namespace detail {

/// Where two objects differ; fields of objects inside as "outer.inner".
struct setting_differences {
  struct difference {
    std::string name, saved, now;
    bool in_both;
  };
  std::vector<difference> found;

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
    const auto shown = [](const nlohmann::json* value) { return value ? one_line(value->dump(), 36) : "absent"; };
    found.push_back({name, shown(a), shown(b), a && b && !a->is_null() && !b->is_null()});
  }

  /// "name value, ..." of the first few: what both have says more than what only one has.
  std::string list(std::string difference::*side) {
    constexpr std::size_t most = 3;
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.in_both > b.in_both; });
    std::string out;
    for (std::size_t i = 0; i < std::min(most, found.size()); ++i)
      out += text(i ? ", " : "", found[i].name, " ", found[i].*side);
    return found.size() > most ? text(out, " and ", found.size() - most, " more") : out;
  }
};

}  // namespace detail

MOR1E_INLINE bool has_checkpoint(const std::filesystem::path& folder) {
  std::error_code none;
  return std::filesystem::exists(folder / "checkpoint", none) ||
         std::filesystem::exists(folder / "checkpoint.previous", none);
}

MOR1E_INLINE std::string check_settings(const nlohmann::json& saved, const nlohmann::json& now,
                                        const std::string& where) {
  detail::setting_differences firm, advice;
  const auto firm_part = [](nlohmann::json object) { return object.erase("advice"), object; };
  const nlohmann::json was = firm_part(saved), is = firm_part(now);
  firm.compare("", &was, &is);
  using difference = detail::setting_differences::difference;
  require<value_error>(firm.found.empty(), "resume: ", where, " was run with ", firm.list(&difference::saved),
                       "; this run has ", firm.list(&difference::now));
  const auto advice_part = [](const nlohmann::json& object) {
    return object.value("advice", nlohmann::json::object());
  };
  const nlohmann::json advised = advice_part(saved), advises = advice_part(now);
  advice.compare("", &advised, &advises);
  if (advice.found.empty()) return "";
  return text("was run with ", advice.list(&difference::saved), "; now ", advice.list(&difference::now));
}

namespace detail {

/// SHA-256 of the fields, whatever their order and the spaces between them.
inline std::string digest_of(nlohmann::json fields) {
  fields.erase("sha256");
  const std::string written = fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return io::sha256_of(std::as_bytes(std::span(written)));
}

MOR1E_INLINE void write_checkpoint(const std::filesystem::path& folder, const run_state& state,
                                   const std::vector<io::stored_tensor>& tensors) {
  io::require_finite(tensors, (folder / "checkpoint").string());
  const std::string digest = io::digest_of(tensors);
  nlohmann::json fields = {{"step", state.step},
                           {"sampler_position", state.sampler_position},
                           {"log_bytes", state.log_bytes},
                           {"first_loss", state.totals.first_loss},
                           {"last_loss", state.totals.last_loss},
                           {"tokens", state.totals.tokens},
                           {"seconds", state.totals.seconds},
                           {"settings", state.settings},
                           {"tensors", digest}};
  fields["sha256"] = digest_of(fields);
  io::atomic_folder out(folder / "checkpoint");
  io::write_safetensors(out.path() / "state.safetensors", tensors);
  io::write_json(out.path() / "state.json", fields);
  // What was written is read again before the checkpoint that was good until now steps back.
  require<io_error>(io::digest_of(io::safetensors_file(out.path() / "state.safetensors")) == digest &&
                        digest_of(io::read_json(out.path() / "state.json")) == fields["sha256"],
                    (folder / "checkpoint").string(), ": what was written does not come back");
  // A damaged one does not take the place of the previous, from which this run went on.
  out.commit(state.passed_over.empty() ? folder / "checkpoint.previous" : std::filesystem::path());
}

/// One checkpoint, verified.
inline run_state read_checkpoint(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "state.json";
  const nlohmann::json json = io::read_json(path);
  const auto field = [&](const char* name, bool (nlohmann::json::*is)() const noexcept,
                         const char* what) -> const nlohmann::json& {
    const bool there = json.is_object() && json.contains(name);
    require<io_error>(there && (json[name].*is)(), path.string(), ": field '", name, "' is ",
                      there ? one_line(json[name].dump(), 80) : "missing", "; it has to be ", what);
    return json[name];
  };
  const auto count = [&](const char* name) {
    const auto value = field(name, &nlohmann::json::is_number_unsigned, "a number from 0 on").get<std::uint64_t>();
    require<io_error>(std::in_range<std::int64_t>(value), path.string(), ": field '", name, "' is ", value);
    return std::int64_t(value);
  };
  const auto number = [&](const char* name) {
    return field(name, &nlohmann::json::is_number, "a number").get<double>();
  };
  const auto string = [&](const char* name) {
    return field(name, &nlohmann::json::is_string, "a text").get<std::string>();
  };
  const auto verify = [&](const std::filesystem::path& file, const std::string& expected, const std::string& found) {
    require<io_error>(expected == found, file.string(), ": is not as it was written: SHA-256 ", found.substr(0, 12),
                      "..., state.json says ", one_line(expected, 12), "; restore it from a copy, or begin again");
  };
  run_state out;
  out.step = count("step");
  out.sampler_position = count("sampler_position");
  out.log_bytes = std::uint64_t(count("log_bytes"));
  out.totals = {number("first_loss"), number("last_loss"), count("tokens"), number("seconds")};
  out.settings = field("settings", &nlohmann::json::is_object, "an object");
  out.read_from = folder;
  verify(path, string("sha256"), digest_of(json));
  const io::safetensors_file tensors(folder / "state.safetensors");
  verify(tensors.path(), string("tensors"), io::digest_of(tensors));
  return out;
}

}  // namespace detail

MOR1E_INLINE run_state read_run_state(const std::filesystem::path& folder) {
  const std::filesystem::path newer = folder / "checkpoint", older = folder / "checkpoint.previous";
  std::error_code none;
  std::string wrong;
  try {
    return detail::read_checkpoint(newer);
  } catch (const io_error& e) {
    if (!std::filesystem::exists(older, none)) throw;
    wrong = e.what();
  }
  try {
    run_state out = detail::read_checkpoint(older);
    // Without a newer one a process was killed between two renames: nothing is wrong with this one.
    if (std::filesystem::exists(newer, none)) out.passed_over = wrong;
    return out;
  } catch (const io_error& e) {
    throw io_error(text(wrong, "; nor is the one before: ", e.what()));
  }
}

}  // namespace mor1e::train
