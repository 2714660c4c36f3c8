// What a model is, from its configuration alone.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/open.hpp"

namespace mor1e::program {

/// Of a config.json, the folder it lies in, or whatever `models::open` takes.
inline nlohmann::json config_of(const std::string& model) {
  if (model.ends_with(".json")) return io::read_json(model);
  const std::filesystem::path file = std::filesystem::path(model) / "config.json";
  return std::filesystem::exists(file) ? io::read_json(file) : models::open(model).config;
}

}  // namespace mor1e::program
