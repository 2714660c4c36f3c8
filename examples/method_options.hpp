// Options that choose a method and its hyperparameters: what was given stands on top of the method's preset.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mor1e/core/split.hpp"
#include "mor1e/peft/adapter_spec.hpp"

namespace mor1e::program {

/// Validators. A range of CLI11's lets "nan" pass.
namespace accept {

template <class Holds>
auto number(const char* what, Holds holds) {
  return [=](const std::string& written) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(written.c_str(), &end);
    const bool good = end != written.c_str() && *end == 0 && std::isfinite(value) && holds(value);
    return good ? "" : "'" + written + "' is not a number " + what;
  };
}
inline auto positive() {
  return number("above 0", [](double v) { return v > 0; });
}
inline auto not_negative() {
  return number("from 0 on", [](double v) { return v >= 0; });
}
inline auto rate() {
  return number("in [0, 1)", [](double v) { return v >= 0 && v < 1; });
}
inline CLI::Range count() { return CLI::Range(1, 1 << 30); }

}  // namespace accept

/// What was given for a method; the values of its fields by the names of their options.
struct method_options {
  std::string method = "mor1e", targets;
  std::map<std::string, std::optional<int>> counts = {};
  std::map<std::string, std::optional<double>> numbers = {};
  std::map<std::string, bool> flags = {};
};

namespace detail {

/// An option that fields of several methods have.
struct shared_option {
  peft::described_field field;  ///< of the first
  std::vector<std::string> methods;
  std::string help;
};

/// What the fields of that option say: "of the update (lora 32, dora 32); of each expert (molora 4)". Behind one text
/// that all share only those methods are named that have a value unless another is given.
inline std::string help_of(const std::string& option) {
  struct part {
    std::string help;
    std::vector<std::string> methods, with_values;
  };
  std::vector<part> parts;
  std::string last;
  for (const peft::known_method& known : peft::known_methods())
    for (const peft::described_field& f : known.method.fields()) {
      if (!f.about.option || f.about.option != option || known.method.label() == last) continue;
      last = known.method.label();
      auto at = std::find_if(parts.begin(), parts.end(), [&](const part& p) { return p.help == f.about.help; });
      if (at == parts.end()) at = parts.insert(at, {.help = f.about.help, .methods = {}, .with_values = {}});
      const int* count = std::get_if<int>(&f.value);
      const double* number = f.about.default_rate > 0 ? nullptr : std::get_if<double>(&f.value);
      const double value = count ? *count : number ? *number : 0;
      at->methods.push_back(value == 0 ? last : fmt::format("{} {:g}", last, value));
      if (value != 0) at->with_values.push_back(at->methods.back());
    }
  std::vector<std::string> out;
  for (const part& p : parts) {
    const auto& named = parts.size() > 1 ? p.methods : p.with_values;
    out.push_back(named.empty() ? p.help : fmt::format("{} ({})", p.help, fmt::join(named, ", ")));
  }
  return fmt::format("{}", fmt::join(out, "; "));
}

/// Every option of every known method, in the order in which they first come.
inline std::vector<shared_option> all_options() {
  std::vector<shared_option> out;
  for (const peft::known_method& known : peft::known_methods())
    for (const peft::described_field& f : known.method.fields()) {
      if (!f.about.option) continue;
      const std::string option = f.about.option;
      auto at = std::find_if(out.begin(), out.end(), [&](const auto& o) { return o.field.about.option == option; });
      if (at == out.end()) at = out.insert(at, {.field = f, .methods = {}, .help = help_of(option)});
      if (at->methods.empty() || at->methods.back() != known.method.label())
        at->methods.push_back(known.method.label());
    }
  return out;
}

/// Lets an option take what its field may be.
inline void check(CLI::Option& option, peft::accepts takes) {
  switch (takes) {
    case peft::accepts::size:
    case peft::accepts::count: option.check(accept::count()); break;
    case peft::accepts::positive: option.check(accept::positive()); break;
    case peft::accepts::not_negative: option.check(accept::not_negative()); break;
    case peft::accepts::rate: option.check(accept::rate()); break;
    case peft::accepts::fraction:
      option.check(accept::number("in [0, 1]", [](double v) { return v >= 0 && v <= 1; }));
      break;
    case peft::accepts::anything: break;
  }
}

}  // namespace detail

/// The options of all methods, grouped by the methods that have them; `training`: also those without a cost.
inline void add_method_options(CLI::App& app, method_options& o, bool training) {
  app.add_option("--method", o.method, fmt::format("{}", fmt::join(peft::method_names(), ", ")))->capture_default_str();
  app.add_option("--targets", o.targets, "q_proj,v_proj,...: only these linears; the method's own unless given");
  for (const detail::shared_option& option : detail::all_options()) {
    const peft::field& about = option.field.about;
    if (about.of_training && !training) continue;
    const std::string name = about.option;
    const auto number = [&](auto& to) {
      CLI::Option* added = app.add_option(name, to, option.help);
      detail::check(*added, about.takes);
      if (about.default_rate > 0) added->default_str(fmt::format("{:g}", about.default_rate));
      return added;
    };
    CLI::Option* added = std::holds_alternative<bool>(option.field.value)
                             ? app.add_flag(name, o.flags[name], option.help)
                         : std::holds_alternative<int>(option.field.value) ? number(o.counts[name])
                                                                           : number(o.numbers[name]);
    added->group(fmt::format("Options of {}", fmt::join(option.methods, ", ")));
  }
}

/// No intuition of any kind is `--no-intuition` for the methods that would read one. Throws `value_error` if that
/// leaves nothing.
inline void settle_intuition(method_options& o, const std::string& intuition) {
  if (intuition == "none" && peft::find_method(o.method).method.needs().clusters > 0) o.flags["--no-intuition"] = true;
  require<value_error>(!o.flags["--no-router"] || !o.flags["--no-intuition"],
                       "--no-router and no intuition: nothing weighs the experts");
}

/// What other methods are matched to: the paper's LoRA, on the linears that were asked for.
inline peft::adapter_spec reference_of(const method_options& o) {
  peft::adapter_spec out = peft::preset("lora");
  out.targets = split(o.targets);
  return out;
}

/// As many clusters as were asked for, whatever the number of experts is by now. Throws `value_error` for a method that
/// reads no intuition.
inline void set_clusters(const method_options& o, peft::any_method& method) {
  const auto given = o.counts.find("--clusters");
  if (given == o.counts.end() || !given->second) return;
  require<value_error>(method.needs().clusters > 0, "--clusters: this ", o.method, " reads no intuition");
  method.set("clusters", *given->second);
  method.settle();
}

/// The preset of the method with what was given on top. `learning_rate` is that of the matrices, of which a field may
/// be a multiple. Throws `value_error` for an option that the method does not have.
inline peft::adapter_spec spec_of(const method_options& o, std::uint64_t seed, double learning_rate) {
  peft::adapter_spec spec = peft::preset(o.method);
  spec.seed = seed;
  if (!o.targets.empty()) spec.targets = split(o.targets);
  const auto set = [&](const std::string& option, peft::field_value value) {
    for (const peft::described_field& f : spec.method.fields()) {
      if (!f.about.option || f.about.option != option) continue;
      if (f.about.default_rate > 0) value = std::get<double>(value) / learning_rate;
      return spec.method.set(f.about.key, value);
    }
    throw value_error(text(option, " is not an option of ", o.method));
  };
  for (const peft::described_field& f : spec.method.fields())
    if (f.about.default_rate > 0) spec.method.set(f.about.key, f.about.default_rate / learning_rate);
  for (const auto& [option, value] : o.counts)
    if (value && option != "--clusters") set(option, *value);
  for (const auto& [option, value] : o.numbers)
    if (value) set(option, *value);
  for (const auto& [option, given] : o.flags)
    if (given) set(option, !option.starts_with("--no-"));
  set_clusters(o, spec.method);
  return spec;
}

}  // namespace mor1e::program
