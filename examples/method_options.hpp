// Options that choose a method and its hyperparameters: what was given stands on top of the method's preset.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/train/settings.hpp"

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

struct method_options {
  std::string method = "mor1e", targets;
  std::optional<int> rank, experts, r1, r2, clusters, top_k;
  std::optional<double> alpha, dropout, gate_rate, type_balance, type_delta;
  std::optional<double> gshard_loss, balance_loss, variation_loss, z_loss, entropy_loss;
  bool factorised = false, no_router = false, no_intuition = false, intuition_before = false, low_rank_router = false;
};

/// The options that decide what is trained and what it costs.
inline void add_method_options(CLI::App& app, method_options& o) {
  const auto count = accept::count();
  app.add_option("--method", o.method, fmt::format("{}", fmt::join(peft::method_names(), ", ")))->capture_default_str();
  app.add_option("--targets", o.targets, "q_proj,v_proj,...: only these linears; the method's own unless given");
  app.add_option("--rank", o.rank, "of lora and dora (32); of each expert of molora, sira, ... (4)")->check(count);
  app.add_option("--experts", o.experts, "of a mixture")->check(count);
  app.add_option("--r1", o.r1, "of mix: input vectors (4)")->check(count);
  app.add_option("--r2", o.r2, "of mix: output vectors (8)")->check(count);
  app.add_flag("--factorised", o.factorised, "mix with routers of r1 + r2 rows instead of r1 r2");
  app.add_option("--clusters", o.clusters,
                 "of the intuition; the number of experts (pairs of a mix) unless given. Another number weighs the "
                 "experts through a learned map")
      ->check(count);
  app.add_option("--top-k", o.top_k, "of sira, mor1e, mix: experts (pairs) that work for a token; all of mor1e and mix")
      ->check(count);
  app.add_flag("--no-router", o.no_router, "mor1e and mix with the intuition alone");
  app.add_flag("--no-intuition", o.no_intuition, "mor1e and mix with the router alone");
  app.add_flag("--low-rank-router", o.low_rank_router,
               "mor1e with a router that reads the experts' products instead of the input");
}
/// Those that decide how it is trained, without a cost.
inline void add_training_method_options(CLI::App& app, method_options& o) {
  app.add_option("--alpha", o.alpha, "of lora, dora, molora, ...: the update is multiplied by alpha / rank")
      ->check(accept::positive());
  app.add_option("--dropout", o.dropout,
                 "of lora, dora, loramoe: part of the experts' input that is dropped in training")
      ->check(accept::rate());
  const auto loss = [&](const char* name, std::optional<double>& weight, const char* what) {
    app.add_option(name, weight, fmt::format("weight of a loss of every router: {}", what))
        ->check(accept::not_negative());
  };
  loss("--gshard-loss", o.gshard_loss, "GShard's of balance");
  loss("--balance-loss", o.balance_loss, "Switch's of balance");
  loss("--variation-loss", o.variation_loss, "squared coefficient of variation of the experts' load");
  loss("--z-loss", o.z_loss, "squared log-sum-exp of the logits");
  loss("--entropy-loss", o.entropy_loss, "entropy of a token's weights");
  app.add_option("--type-balance", o.type_balance,
                 "of loramoe: weight of its loss of balance by types of task, which --task-types gives (0)")
      ->check(accept::not_negative());
  app.add_option("--type-delta", o.type_delta, "of loramoe: by how much a type favours its half of the experts (0)")
      ->check(accept::number("in [0, 1]", [](double v) { return v >= 0 && v <= 1; }));
  app.add_flag("--intuition-before", o.intuition_before, "mor1e with the intuition inside the router's softmax");
  app.add_option("--gate-rate", o.gate_rate, "learning rate of the gates of mor1e and mix")
      ->check(accept::not_negative())
      ->default_str(fmt::format("{:g}", train::release_gate_rate));
}

/// The names in "a,b"; empty ones too, which no linear has.
inline std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t comma = std::min(names.find(',', at), names.size());
    out.push_back(names.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

/// No intuition of any kind is `--no-intuition` for the methods that would read one. Throws `value_error` if that
/// leaves nothing.
inline void settle_intuition(method_options& o, const std::string& intuition) {
  if (intuition == "none" && peft::uses_intuition(peft::preset(o.method))) o.no_intuition = true;
  require<value_error>(!o.no_router || !o.no_intuition, "--no-router and no intuition: nothing weighs the experts");
}

/// What other methods are matched to: the paper's LoRA, on the linears that were asked for.
inline peft::adapter_spec reference_of(const method_options& o) {
  peft::adapter_spec out = peft::preset("lora");
  out.targets = split(o.targets);
  return out;
}

/// As many clusters as were asked for, whatever the number of experts is by now. Throws `value_error` for a method that
/// reads no intuition.
inline void set_clusters(const method_options& o, peft::adapter_spec& spec) {
  if (!o.clusters) return;
  require<value_error>(peft::uses_intuition(spec), "--clusters: this ", o.method, " reads no intuition");
  std::visit(
      [&](auto& method) {
        if constexpr (requires { method.clusters; }) method.clusters = 0;
      },
      spec.method);
  if (const int own = int(peft::clusters_of(spec)); own != *o.clusters)
    std::visit(
        [&](auto& method) {
          if constexpr (requires { method.clusters; }) method.clusters = *o.clusters;
        },
        spec.method);
}

/// The preset of the method with what was given on top. `learning_rate` is that of the matrices: the gates are
/// sigmoid(100 a), and would saturate within tens of steps at it. Throws `value_error` for an option that the method
/// does not have.
inline peft::adapter_spec spec_of(const method_options& o, std::uint64_t seed, double learning_rate) {
  peft::adapter_spec spec = peft::preset(o.method);
  spec.seed = seed;
  if (!o.targets.empty()) spec.targets = split(o.targets);
  const auto set = [&](const char* option, const auto& given, auto field) {
    if (!given) return;
    std::visit(
        [&](auto& method) {
          if constexpr (requires { field(method); })
            field(method) = *given;
          else
            throw value_error(text(option, " is not an option of ", o.method));
        },
        spec.method);
  };
  const auto set_flag = [&](const char* option, bool given, bool value, auto field) {
    set(option, given ? std::optional(value) : std::nullopt, field);
  };
  set("--rank", o.rank, [](auto& m) -> decltype((m.rank)) { return m.rank; });
  set("--alpha", o.alpha, [](auto& m) -> decltype((m.alpha)) { return m.alpha; });
  set("--dropout", o.dropout, [](auto& m) -> decltype((m.dropout)) { return m.dropout; });
  set("--gshard-loss", o.gshard_loss, [](auto& m) -> decltype((m.losses.gshard)) { return m.losses.gshard; });
  set("--balance-loss", o.balance_loss, [](auto& m) -> decltype((m.losses.balance)) { return m.losses.balance; });
  set("--variation-loss", o.variation_loss,
      [](auto& m) -> decltype((m.losses.variation)) { return m.losses.variation; });
  set("--z-loss", o.z_loss, [](auto& m) -> decltype((m.losses.z)) { return m.losses.z; });
  set("--entropy-loss", o.entropy_loss, [](auto& m) -> decltype((m.losses.entropy)) { return m.losses.entropy; });
  set("--type-balance", o.type_balance, [](auto& m) -> decltype((m.type_balance)) { return m.type_balance; });
  set("--type-delta", o.type_delta, [](auto& m) -> decltype((m.delta)) { return m.delta; });
  set("--experts", o.experts, [](auto& m) -> decltype((m.experts)) { return m.experts; });
  set("--r1", o.r1, [](auto& m) -> decltype((m.r1)) { return m.r1; });
  set("--r2", o.r2, [](auto& m) -> decltype((m.r2)) { return m.r2; });
  set("--top-k", o.top_k, [](auto& m) -> decltype((m.k)) { return m.k; });
  set_flag("--factorised", o.factorised, true, [](auto& m) -> decltype((m.factorised)) { return m.factorised; });
  set_flag("--no-router", o.no_router, false, [](auto& m) -> decltype((m.intuition, m.router)) { return m.router; });
  set_flag("--no-intuition", o.no_intuition, false, [](auto& m) -> decltype((m.intuition)) { return m.intuition; });
  set_flag("--intuition-before", o.intuition_before, true, [](auto& m) -> decltype((m.before)) { return m.before; });
  set_flag("--low-rank-router", o.low_rank_router, true,
           [](auto& m) -> decltype((m.low_rank_router)) { return m.low_rank_router; });
  bool gated = false;
  std::visit(
      [&](auto& method) {
        if constexpr (requires { method.learned_gates; }) {
          method.gate_learning_rate_scale = o.gate_rate.value_or(train::release_gate_rate) / learning_rate;
          gated = method.learned_gates;
        }
      },
      spec.method);
  require<value_error>(!o.gate_rate || gated, "--gate-rate is not an option of ", o.method);
  set_clusters(o, spec);
  return spec;
}

}  // namespace mor1e::program
