// The methods that are known by name: those of the library, and those that a program adds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/peft/any_method.hpp"
#include "mor1e/peft/methods/adamole.hpp"
#include "mor1e/peft/methods/dora.hpp"
#include "mor1e/peft/methods/hydralora.hpp"
#include "mor1e/peft/methods/lora.hpp"
#include "mor1e/peft/methods/loramoe.hpp"
#include "mor1e/peft/methods/mix_and_match.hpp"
#include "mor1e/peft/methods/molora.hpp"
#include "mor1e/peft/methods/mor1e.hpp"
#include "mor1e/peft/methods/sira.hpp"

namespace mor1e::peft {

template <class... M>
struct method_list {
  template <class Other>
  static constexpr bool has = (std::same_as<Other, M> || ...);
  /// f(method) with the type that it has; false if that is not in the list.
  template <class F>
  static bool visit(const any_method& method, F f) {
    const auto is = [&](const auto* held) { return held && (f(*held), true); };
    return (is(method.get_if<M>()) || ...);
  }
  /// f.template operator()<M>() for each
  template <class F>
  static void each(F f) {
    (f.template operator()<M>(), ...);
  }
};

/// The library's own. One more is its header above and its name here.
using built_in_methods = method_list<lora, dora, mor1e, mix_and_match, molora, sira, loramoe, hydralora, adamole>;

/// A method under a name.
struct known_method {
  std::string name;
  any_method method;
  std::vector<std::string> targets;  ///< see `attach`; empty: every linear but the head
};

/// The names of M, with what they stand for.
template <class M>
std::vector<known_method> presets_of() {
  std::vector<known_method> out;
  if constexpr (requires { M::presets(); })
    for (const preset_of<M>& p : M::presets()) out.push_back({p.name, p.method, p.targets});
  else
    out.push_back({M::label, M{}, {}});
  return out;
}

/// All methods by name, the library's first.
MOR1E_INLINE const std::vector<known_method>& known_methods();
/// Adds the names of one more method: at the start of a program, before others read the list; again is nothing. Throws
/// `value_error` if another method has one of the names, the label, or the same type of folder without another marker.
MOR1E_INLINE void add_known_method(const std::vector<known_method>& presets);

/// The names of all.
MOR1E_INLINE std::vector<std::string> method_names();
/// The method of that name. Throws `value_error` listing the names.
MOR1E_INLINE const known_method& find_method(std::string_view name);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/registry.ipp"
#endif
