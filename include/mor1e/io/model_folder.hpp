// A model written as a Hugging Face folder.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

/// config.json, model.safetensors, and `others` by name: whole or not at all. Throws `io_error`.
inline void write_model_folder(const std::filesystem::path& folder, const nlohmann::json& config,
                               std::span<const stored_tensor> tensors,
                               const std::map<std::string, std::string>& others) {
  atomic_folder out(folder);
  write_json(out.path() / "config.json", config);
  write_safetensors(out.path() / "model.safetensors", tensors, {{"format", "pt"}});
  for (const auto& [name, content] : others) write_text(out.path() / name, content);
  out.commit();
}

}  // namespace mor1e::io
