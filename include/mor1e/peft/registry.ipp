// Definitions of peft/registry.hpp.
#pragma once

#include <algorithm>

#include "mor1e/peft/registry.hpp"

namespace mor1e::peft {

namespace detail {

MOR1E_INLINE std::vector<known_method>& registered_methods() {
  static std::vector<known_method> all = [] {
    std::vector<known_method> out;
    built_in_methods::each([&]<class M>() {
      for (known_method& known : presets_of<M>()) out.push_back(std::move(known));
    });
    return out;
  }();
  return all;
}

}  // namespace detail

MOR1E_INLINE const std::vector<known_method>& known_methods() { return detail::registered_methods(); }

MOR1E_INLINE void add_known_method(const std::vector<known_method>& presets) {
  auto& all = detail::registered_methods();
  for (const known_method& added : presets) {
    const method_description its = added.method.description();
    const bool there = std::any_of(all.begin(), all.end(), [&](const known_method& k) {
      const method_description other = k.method.description();
      const bool same = k.method.type() == added.method.type();
      require<value_error>(same || (k.name != added.name && other.label != its.label), "method '", added.name,
                           "': another method is called so");
      require<value_error>(same || other.peft_type != its.peft_type || other.marker != its.marker, "method '",
                           added.name, "': its peft_type '", its.peft_type, "' is that of ", other.label);
      return same && k.name == added.name;
    });
    if (!there) all.push_back(added);
  }
}

MOR1E_INLINE std::vector<std::string> method_names() {
  std::vector<std::string> out;
  for (const known_method& k : known_methods()) out.push_back(k.name);
  return out;
}

MOR1E_INLINE const known_method& find_method(std::string_view name) {
  std::string known;
  for (const known_method& k : known_methods()) {
    if (k.name == name) return k;
    known += (known.empty() ? "" : ", ") + k.name;
  }
  throw value_error(text("method '", name, "' is not known (", known, ")"));
}

}  // namespace mor1e::peft
