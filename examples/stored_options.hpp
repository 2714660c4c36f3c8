// The options of a run, kept in its folder, so that the folder alone is enough to go on with it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"

namespace mor1e::program {

namespace detail {

/// Those that say where this process writes and what it prints, not what is run.
inline bool of_process(const std::string& name) {
  const auto names = {"help", "out", "resume", "json", "quiet", "mpi"};
  return std::find(names.begin(), names.end(), name) != names.end();
}
inline bool is_path(const std::string& name) {
  const auto names = {"model", "data", "eval-data", "intuition", "log"};
  return std::find(names.begin(), names.end(), name) != names.end();
}
inline std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}
/// Two that say the same thing: the one that is given is meant.
inline bool is_given(const CLI::App& app, const std::string& name) {
  const bool length = name == "steps" || name == "epochs";
  return length ? app.count("--steps") + app.count("--epochs") > 0 : app.count("--" + name) > 0;
}

}  // namespace detail

/// An argument as a shell takes it.
inline std::string in_shell(const std::string& argument) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@%+,";
  if (!argument.empty() && argument.find_first_not_of(plain) == argument.npos) return argument;
  std::string out = "'";
  for (const char c : argument) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

/// {"steps": {"given": "60"}, "model": {"given": "m", "path": "/where/m"}, ...}: the options that were given, with what
/// relative paths lead to.
inline nlohmann::json options_given(const CLI::App& app) {
  nlohmann::json out = nlohmann::json::object();
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = detail::name_of(*option);
    if (option->count() == 0 || name.empty() || detail::of_process(name)) continue;
    const std::string& given = option->results().back();
    out[name] = {{"given", given}};
    std::error_code none;
    if (detail::is_path(name) && (name == "log" || std::filesystem::exists(given, none)))
      out[name]["path"] = std::filesystem::absolute(given).string();
  }
  return out;
}

/// The stored options that were not given, as arguments. A path that leads elsewhere from here is made absolute. Throws
/// `io_error` beginning with `where` for what is no such object.
inline std::vector<std::string> stored_arguments(const CLI::App& app, const nlohmann::json& stored,
                                                 const std::string& where) {
  require<io_error>(stored.is_object(), where, ": holds no options");
  std::vector<std::string> out;
  for (const auto& [name, value] : stored.items()) {
    const CLI::Option* option = app.get_option_no_throw("--" + name);
    const bool good = option && value.is_object() && value.contains("given") && value["given"].is_string() &&
                      (!value.contains("path") || value["path"].is_string());
    require<io_error>(good, where, ": ", in_quotes(name), " is no option of a run");
    if (detail::is_given(app, name)) continue;
    std::string given = value["given"].get<std::string>();
    if (value.contains("path") && std::filesystem::absolute(given) != value["path"].get<std::string>())
      given = value["path"].get<std::string>();
    const bool flag = option->get_items_expected_max() == 0;
    if (flag || !given.empty()) out.push_back("--" + name + (flag ? "" : "=" + given));
  }
  return out;
}

}  // namespace mor1e::program
