// Which linears a method is put on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mor1e::peft {

/// Which of the targeted linears are meant, in PEFT's terms.
struct target_limits {
  std::vector<std::string> excluded = {};     ///< exclude_modules: paths or their ends
  std::string excluded_expression = {};       ///< the same as a regular expression, taken if it excludes nothing
  std::vector<std::int64_t> layers = {};      ///< layers_to_transform: numbers of blocks; empty: all
  std::vector<std::string> layer_lists = {};  ///< layers_pattern: what stands before the number; empty: anything

  friend bool operator==(const target_limits&, const target_limits&) = default;
};

/// Whether a regular expression is a name: letters, digits, "_" and "-", and "." for any character.
inline bool is_plain_name(std::string_view expression) {
  return !expression.empty() && expression.find_first_not_of(
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-.") == expression.npos;
}
/// Whether `path` is what such a name says, or ends so behind a ".".
inline bool ends_in_name(std::string_view path, std::string_view name) {
  if (name.size() > path.size()) return false;
  const std::size_t at = path.size() - name.size();
  return (at == 0 || path[at - 1] == '.') && std::equal(name.begin(), name.end(), path.begin() + std::ptrdiff_t(at),
                                                        [](char n, char p) { return n == '.' || n == p; });
}

/// The number of the block a linear is in, as PEFT finds it: the first whole number in its path behind one of `lists`,
/// or without these behind two names.
inline std::optional<std::int64_t> layer_of(std::string_view path, const std::vector<std::string>& lists) {
  const auto behind = [&](const std::string* list) -> std::optional<std::int64_t> {
    for (std::size_t dot = path.find('.'), end; dot != path.npos; dot = end) {
      end = path.find('.', dot + 1);
      const std::string_view before = path.substr(0, dot), number = path.substr(dot + 1, end - dot - 1);
      if (end == path.npos || number.empty() || number.size() > 9) continue;
      if (number.find_first_not_of("0123456789") != number.npos) continue;
      if (list ? ends_in_name(before, *list) : before.find('.') != before.npos) return std::stoll(std::string(number));
    }
    return std::nullopt;
  };
  if (lists.empty()) return behind(nullptr);
  for (const std::string& list : lists)
    if (const auto number = behind(&list)) return number;
  return std::nullopt;
}

/// Whether `target` ("q_proj", "self_attn.q_proj", a whole path) means the linear of this path.
inline bool means(const std::string& target, const std::string& path) {
  return path == target || path.ends_with("." + target);
}
/// Whether the linear of this path is among `targets` and within `limits`; no targets are all linears. A target that is
/// the whole path counts in every layer, as in PEFT.
inline bool is_targeted(const std::string& path, const std::vector<std::string>& targets,
                        const target_limits& limits = {}) {
  const auto among = [&](const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return means(name, path); });
  };
  if (among(limits.excluded) || !(targets.empty() || among(targets))) return false;
  if (limits.layers.empty() || std::find(targets.begin(), targets.end(), path) != targets.end()) return true;
  const auto layer = layer_of(path, limits.layer_lists);
  return layer && std::find(limits.layers.begin(), limits.layers.end(), *layer) != limits.layers.end();
}

}  // namespace mor1e::peft
