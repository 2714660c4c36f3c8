// Definitions of models/locate.hpp.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/models/locate.hpp"

namespace mor1e::models {

MOR1E_INLINE std::filesystem::path locate(const std::string& name) {
  namespace fs = std::filesystem;
  const auto single_file = [](const fs::path& folder) -> fs::path {
    if (!fs::is_directory(folder) || fs::exists(folder / "config.json")) return folder;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".gguf") found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    const bool one = found.size() == 1 || (!found.empty() && io::gguf_parts(found[0]) == found);
    return one ? found[0] : folder;
  };
  if (fs::exists(name)) return single_file(name);
  const auto variable = [](const char* key) {
    const char* value = std::getenv(key);
    return std::string(value ? value : "");
  };
  fs::path cache = variable("MOR1E_CACHE");
  if (cache.empty() && !variable("XDG_CACHE_HOME").empty()) cache = fs::path(variable("XDG_CACHE_HOME")) / "mor1e";
  if (cache.empty()) cache = fs::path(variable("HOME")) / ".cache" / "mor1e";
  const fs::path there = cache / "models" / name;
  const bool plain = !name.empty() && name.find('/') == std::string::npos;
  if (plain && fs::exists(there)) return single_file(there);
  throw io_error(
      text("no model at ", name, ": no such file or folder", plain ? text(", and no ", there.string()) : ""));
}

MOR1E_INLINE std::string architecture_of(const io::checkpoint& from) {
  require<io_error>(from.config.contains("model_type") && from.config["model_type"].is_string(), from.path.string(),
                    ": config: 'model_type' is missing");
  return from.config["model_type"].get<std::string>();
}

}  // namespace mor1e::models
