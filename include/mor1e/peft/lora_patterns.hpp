// Linears with a rank or an alpha of their own: PEFT's rank_pattern and alpha_pattern.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/peft/methods/lora.hpp"

namespace mor1e::peft {

/// Keys are names of linears or their ends, as in target_modules, or whole paths behind a "^"; where several fit, the
/// first counts.
struct lora_patterns {
  std::vector<std::pair<std::string, int>> ranks;
  std::vector<std::pair<std::string, double>> alphas;

  bool empty() const { return ranks.empty() && alphas.empty(); }
  /// The LoRA of the linear of that path, if `common` is that of all others.
  MOR1E_INLINE lora of(std::string_view linear, lora common) const;
};

/// Moves the patterns out of the configuration of a LoRA; `as_written` is its text, which has the order in which they
/// count. Throws `io_error` beginning with `where` and naming the key for a value that is no rank or no number, and for
/// a regular expression beyond "^" and ".", with which PEFT matches.
MOR1E_INLINE lora_patterns take_patterns(nlohmann::json& config, std::string_view as_written, const std::string& where);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/lora_patterns.ipp"
#endif
