// Linears with a rank or an alpha of their own: PEFT's rank_pattern and alpha_pattern.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/peft/lora.hpp"

namespace mor1e::peft {

/// Keys are names of linears or their ends, as in target_modules; where several fit, the first in the order of the
/// alphabet counts, in which PEFT writes them and reads them again.
struct lora_patterns {
  std::map<std::string, int> ranks;
  std::map<std::string, double> alphas;

  bool empty() const { return ranks.empty() && alphas.empty(); }
  /// The LoRA of the linear of that path, if `common` is that of all others.
  MOR1E_INLINE lora of(std::string_view linear, lora common) const;
};

/// Moves the patterns out of the configuration of a LoRA. Throws `io_error` beginning with `where` and naming the key
/// for a value that is no rank or no number, and for a regular expression beyond "^" and ".", with which PEFT matches.
MOR1E_INLINE lora_patterns take_patterns(nlohmann::json& config, const std::string& where);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/lora_patterns.ipp"
#endif
