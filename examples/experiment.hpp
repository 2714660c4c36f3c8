// What runs of several methods share.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "finetune_options.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/peft/matching.hpp"
#include "mor1e/train/examples.hpp"
#include "run_evaluation.hpp"
#include "training_data.hpp"

namespace mor1e::program {

/// A frozen model and the rows to train and score it on: what runs of several methods share.
struct experiment {
  /// `suite_examples`: how many examples the generated suite is made for; those of the schedule unless given.
  experiment(const common_options& common, const data_options& o, const train::schedule_settings& schedule,
             std::optional<index_t> suite_examples = {})
      : options(o),
        made_for(suite_examples.value_or(schedule.steps * schedule.batch)),
        device(common.threads),
        model(models::load<cpu, float>(device, std::make_shared<io::checkpoint>(models::open(o.model)))),
        base_hash(models::weights_hash(o.model)),
        tokenizer(models::open_tokenizer(o.model)),
        rows(load_data(o, tokenizer, made_for, common.seed)),
        set(train::encode(rows.tasks, {tokenizer, model->vocabulary()}, o.prompt(),
                          std::min<index_t>(o.max_length, model->context()), o.truncate, o.train_limit)),
        scored(device, *model, tokenizer, rows.tasks, o.prompt(), o.truncate, o.eval_limit, common) {
    train::set_types(set, o.task_types);
  }

  data_options options;
  index_t made_for;
  cpu device;
  std::unique_ptr<models::language_model<cpu, float>> model;
  std::string base_hash;
  texts::tokenizer tokenizer;
  run_data rows;
  train::training_set set;
  evaluation scored;
};

/// The spec with as many parameters as `reference`, which it says.
inline peft::adapter_spec matched(experiment& e, const peft::adapter_spec& spec, const peft::adapter_spec& reference,
                                  const common_options& common) {
  const auto groups = e.model->groups();
  const auto linears = peft::linears_of(groups, spec.targets);
  if (linears.empty()) return spec;  // which `attach` refuses by name
  const auto target = peft::cost_on(reference.method, peft::linears_of(groups, reference.targets)).parameters;
  peft::adapter_spec out = spec;
  out.method = peft::match_parameters(spec.method, linears, target);
  const auto own = peft::cost_on(spec.method, linears).parameters, now = peft::cost_on(out.method, linears).parameters;
  say(common, "parameters: {} with {} ({} by itself, LoRA has {}: {:+.1f} %)\n", now, out.method.size(), own, target,
      100 * (double(now) / double(target) - 1));
  return out;
}

}  // namespace mor1e::program
