// What a matrix will cost, from configurations and rows: nothing is run, no weights are read.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experiments/matrix_options.hpp"
#include "experiments/report.hpp"
#include "model_config.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/models/config.hpp"
#include "mor1e/models/linears.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/matching.hpp"
#include "mor1e/train/memory_limit.hpp"
#include "mor1e/train/run/rows.hpp"
#include "mor1e/train/settings.hpp"
#include "mor1e/train/step_program.hpp"

namespace mor1e::program {

/// How much there is to train on and to score.
struct row_counts {
  index_t examples = 0, items = 0;
  double tokens = 0;        ///< mean of an example
  bool is_counted = false;  ///< by the model's tokenizer; else as given, or a token for four bytes
};

inline row_counts count_rows(const matrix_options& o, const std::string& model, index_t made_for) {
  std::optional<texts::tokenizer> tokenizer;
  try {
    tokenizer = models::open_tokenizer(model);
  } catch (const io_error&) {
    require<value_error>(!data::is_suite(o.data.data), "--data ", o.data.data,
                         ": its words are chosen by a tokenizer, and ", model, " has none");
  }
  train::data_settings data = o.data;
  data.model = model;
  const train::run_rows rows = train::load_rows(data, tokenizer ? *tokenizer : models::open_tokenizer(models::toy_name),
                                                made_for, o.common.seed);
  row_counts out;
  double tokens = 0;
  for (const data::task_data& task : rows.tasks) {
    index_t count = index_t(task.train.size());
    if (o.data.train_limit > 0) count = std::min(count, o.data.train_limit);
    for (index_t i = 0; i < count; ++i) {
      const texts::rendered_prompt words = texts::render(task.train[std::size_t(i)], o.data.prompt());
      if (!tokenizer)
        tokens += double(words.prompt.size() + words.target.size()) / 4;
      else {
        const auto [ids, target] = texts::prompt_encoder(*tokenizer).encode(words.prompt, words.target, "", words.ends);
        tokens += double(ids.size() + target.size());
      }
    }
    out.examples += count;
  }
  for (const data::task_data& task : rows.scored)
    out.items += std::min<index_t>(o.data.eval_limit, index_t(task.eval.size()));
  out.is_counted = tokenizer.has_value();
  out.tokens = o.example_tokens > 0 ? double(o.example_tokens) : tokens / double(std::max<index_t>(1, out.examples));
  return out;
}

namespace detail {

/// The same kind of model as wide as `head` numbers a head, everything else in proportion.
inline nlohmann::json narrowed(nlohmann::json config, const models::backbone& of, index_t head, index_t layers) {
  const index_t own = of.head_dim;
  const auto set = [&](const char* key, const char* other, index_t value) {
    config[config.contains(key) ? key : other] = value;
  };
  set("n_embed", "hidden_size", of.head.inputs * head / own);
  set("n_layer", "num_hidden_layers", layers);
  if (of.model_type == "phi") config["intermediate_size"] = models::read_phi_config(config, "").intermediate_size;
  if (config.contains("intermediate_size"))
    config["intermediate_size"] = std::max<index_t>(8, config["intermediate_size"].get<index_t>() * head / own);
  if (of.model_type != "bloom" && of.model_type != "phi") config["head_dim"] = head;
  // Of so few columns a part might leave no pairs.
  config.erase("partial_rotary_factor");
  for (const char* rope : {"rope_parameters", "rope_scaling"})
    if (config.contains(rope) && config[rope].is_object()) config[rope].erase("partial_rotary_factor");
  config["max_position_embeddings"] = 4096;
  return config;
}

}  // namespace detail

/// Bytes of the slab of a step: those of four small models, continued to the real width and depth, in both of which
/// they are linear. None for a model that is not loaded here.
inline std::optional<double> slab_bytes(const nlohmann::json& config, const models::backbone& of,
                                        const peft::adapter_spec& spec, const train::batch_size& size, bool recompute) {
  if (!models::is_supported<cpu, float>(of.model_type)) return {};
  cpu device(1);
  const auto bytes = [&](index_t head, index_t layers) {
    auto blank = std::make_shared<io::checkpoint>();
    blank->path = "blank";
    blank->config = detail::narrowed(config, of, head, layers);
    auto model = models::load<cpu, float>(device, std::move(blank));
    auto adapters = peft::attach(*model, spec);
    train::program_options program{.recompute = recompute,
                                   .statistics = spec.method.description().has_experts,
                                   .dropout = spec.method.needs().draws,
                                   .clusters = spec.method.needs().clusters,
                                   .types = spec.method.needs().types};
    return double(train::step_program<cpu, float>(device, *model, size, program).bytes());
  };
  constexpr index_t narrow = 8, wide = 16, few = 2, many = 3;
  const auto to_width = [&](index_t depth) {
    const double at_narrow = bytes(narrow, depth), at_wide = bytes(wide, depth);
    return at_narrow + (at_wide - at_narrow) * double(of.head_dim - narrow) / (wide - narrow);
  };
  const double at_few = to_width(few), at_many = to_width(many);
  return at_few + (at_many - at_few) * double(of.layers - few) / (many - few);
}

struct matrix_cost {
  report table;
  nlohmann::json json;
};

/// What the runs of a matrix will cost.
inline matrix_cost cost_of(const matrix_options& o, const std::vector<contestant>& contestants,
                           const std::string& name) {
  const train::schedule_settings schedule = o.schedule.settings();
  report out{.title = name + ": what it will cost", .terms = {}, .tables = {}, .notes = {}, .pictures = {}};
  nlohmann::json json = {{"models", nlohmann::json::array()}};
  double all = 0;
  index_t runs = 0;
  for (const std::string& model : split(o.data.model)) {
    const nlohmann::json config = config_of(model);
    const models::backbone base = models::backbone_of(config, model);
    const row_counts rows = count_rows(o, model, schedule.steps * schedule.batch);
    const index_t steps = train::total_steps(schedule, rows.examples);
    const double trained = double(steps * schedule.batch) * rows.tokens, scored = double(rows.items) * rows.tokens;
    const auto linears_of = [&](const peft::adapter_spec& spec) {
      std::vector<peft::linear_size> of;
      for (const models::linear_shape& l : base.linears)
        if (peft::is_targeted(l.name, spec.targets))
          for (index_t i = 0; i < base.layers; ++i) of.push_back({l.inputs, l.outputs});
      return of;
    };
    // Every example as long as the mean, and its answer one token.
    const index_t length = std::max<index_t>(2, index_t(std::ceil(rows.tokens)));
    data::encoded_example alike{.id = "", .ids = {}, .first_target = length - 1};
    alike.ids.resize(std::size_t(length));
    const index_t budget = o.run.micro_batch ? o.run.micro_batch : 2048;
    const train::batch_size size = train::largest_batch({&alike, 1}, schedule.batch, budget);
    result_table table{
        .title = fmt::format("{}: {} of {} parameters; {} examples of {:.0f} tokens{}, {} items scored, {} steps of {}",
                             model, base.model_type, base.parameters, rows.examples, rows.tokens,
                             o.example_tokens  ? " (as given)"
                             : rows.is_counted ? ""
                                               : " (a token for four bytes)",
                             rows.items, steps, schedule.batch),
        .columns = {"method", "size", "parameters", "runs", "adapter FLOPs a token", "FLOPs a run", "memory of a step",
                    "hours"},
        .rows = {}};
    nlohmann::json& in_json = json["models"].emplace_back();
    in_json = {{"model", model}, {"parameters", base.parameters}, {"examples", rows.examples}, {"tokens", rows.tokens}};
    for (const contestant& c : contestants) {
      peft::adapter_spec spec = spec_of(c.method, 0, schedule.learning_rate);
      const peft::adapter_spec reference = reference_of(c.method);
      if (!o.own_parameters)
        spec.method = peft::match_parameters(spec.method, linears_of(spec),
                                             peft::cost_on(reference, base.linears, base.layers).parameters);
      const peft::method_cost cost = peft::cost_on(spec, base.linears, base.layers);
      // Forward and the gradient of the input through frozen weights, 2 operations a parameter each; the adapter's own
      // three products; recomputation is one more forward.
      const double adapter = double(cost.flops() + cost.router_flops());
      const double forward = 2 * double(base.sum_products()) + adapter;
      const double flops = trained * (4 * double(base.sum_products()) + 3 * adapter + (o.run.recompute ? forward : 0)) +
                           scored * forward * (spec.method.needs().clusters > 0 && c.control.empty() ? 2 : 1);
      const index_t count = o.seeds + (c.learning_rate ? 0 : index_t(rates_of(o).size()));
      const std::optional<double> slab = slab_bytes(config, base, spec, size, o.run.recompute);
      const double held = 4 * double(base.parameters) + 16 * double(cost.parameters);
      all += flops * double(count), runs += count;
      nlohmann::json& line = in_json["contestants"].emplace_back();
      line = {{"label", c.label}, {"size", spec.method.size()}, {"parameters", cost.parameters}, {"flops_a_run", flops},
              {"runs", count},    {"held_bytes", held}};
      if (slab) line["step_memory"] = *slab;
      table.rows.push_back(
          {c.label, spec.method.size(), fmt::format("{}", cost.parameters), fmt::format("{}", count),
           fmt::format("{}", cost.flops() + cost.router_flops()), fmt::format("{:.3g}", flops),
           slab ? fmt::format("{:.1f} GB", (held + *slab) / 1e9) : fmt::format("{:.1f} GB and activations", held / 1e9),
           o.flops > 0 ? fmt::format("{:.2f}", flops * double(count) / o.flops / 3600) : ""});
    }
    out.tables.push_back(std::move(table));
  }
  out.terms = fmt::format("{} runs, {:.3g} FLOPs{}", runs, all,
                          o.flops > 0 ? fmt::format(", {:.1f} hours at {:.3g} FLOP/s", all / o.flops / 3600, o.flops)
                                      : "; --flops gives hours");
  out.notes.push_back(
      "FLOPs: products of linears, 4 a frozen parameter and token of the training (forward, and the gradient of the "
      "input), 2 of the scoring; attention, embeddings and the head on its few rows are left out.");
  out.notes.push_back(
      fmt::format("Memory: weights in fp32, 16 bytes a trained parameter (value, gradient, two moments), and the slab "
                  "of the largest "
                  "micro-batch{}, by plans of four narrow models continued to this width and depth.",
                  o.run.recompute ? " with recomputation" : ""));
  json["runs"] = runs, json["flops"] = all;
  return {std::move(out), std::move(json)};
}

}  // namespace mor1e::program
