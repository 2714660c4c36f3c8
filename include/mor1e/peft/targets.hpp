// Which linears a method is put on.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace mor1e::peft {

/// Whether `target` ("q_proj", "self_attn.q_proj", a whole path) means the linear of this path.
inline bool means(const std::string& target, const std::string& path) {
  return path == target || path.ends_with("." + target);
}
/// Whether the linear of this path is among `targets`; no targets are all linears.
inline bool is_targeted(const std::string& path, const std::vector<std::string>& targets) {
  return targets.empty() ||
         std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return means(target, path); });
}

}  // namespace mor1e::peft
