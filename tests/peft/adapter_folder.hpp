// The adapter folders of the fixtures, to be read, changed and refused.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/testing/golden.hpp"

namespace mor1e::testing {

using nlohmann::json;

inline const std::filesystem::path golden = golden_folder() / "train";
inline cpu device(1);

inline auto load_base() { return models::load<cpu, float>(device, (golden / "base").string()); }

inline bool same_values(peft::adapter_set<cpu, float>& a, peft::adapter_set<cpu, float>& b) {
  const auto p = a.parameters(), q = b.parameters();
  if (p.size() != q.size()) return false;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i]->extents() != q[i]->extents() ||
        std::memcmp(p[i]->read().data(), q[i]->read().data(), std::size_t(p[i]->size()) * sizeof(float)) != 0)
      return false;
  return true;
}

/// A folder with the LoRA that PEFT wrote, its configuration changed.
inline void write_changed(const std::filesystem::path& to, const std::function<void(json&)>& change) {
  std::filesystem::create_directories(to);
  json config = io::read_json(golden / "lora" / "adapter_before" / "adapter_config.json");
  change(config);
  io::write_json(to / "adapter_config.json", config);
  std::filesystem::copy_file(golden / "lora" / "adapter_before" / "adapter_model.safetensors",
                             to / "adapter_model.safetensors", std::filesystem::copy_options::overwrite_existing);
}

/// Loading fails with a message that holds every one of `parts`, and leaves the model as it was.
inline void check_refused(const std::filesystem::path& folder, const std::vector<std::string>& parts) {
  const auto model = load_base();
  std::string message;
  try {
    (void)peft::load_adapter(*model, folder);
  } catch (const io_error& e) {
    message = e.what();
  }
  CAPTURE(message);
  CHECK(message.starts_with(folder.string()));
  CHECK(message.find('\n') == std::string::npos);
  for (const std::string& part : parts) CHECK_MESSAGE(message.find(part) != std::string::npos, part);
  for (auto* g : model->groups()) CHECK(g->attached() == nullptr);
}

}  // namespace mor1e::testing
