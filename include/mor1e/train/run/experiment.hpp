// What runs of several methods share: a frozen model, and the rows to train and score it on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mor1e/models/open.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/text/prompt_encoder.hpp"
#include "mor1e/train/examples.hpp"
#include "mor1e/train/run/evaluation.hpp"
#include "mor1e/train/run/rows.hpp"
#include "mor1e/train/run/settings.hpp"

namespace mor1e::train {

/// Loads the model, reads or generates the rows, encodes those of the training and lays those of the evaluation ready.
template <class B>
struct experiment {
  /// `suite_examples`: how many examples the generated suite is made for; those of the schedule unless given.
  /// `same_model`: another of the same model, which is shared and not loaded again, nor scored again on the same items.
  /// `processes`: who trains and scores together, each with all of this.
  experiment(B& device, const data_settings& o, const schedule_settings& schedule, std::uint64_t seed,
             bool shows_progress, std::optional<index_t> suite_examples = {}, const experiment* same_model = nullptr,
             distributed::process_group& processes = distributed::alone())
      : settings(o),
        made_for(suite_examples.value_or(schedule.steps * schedule.batch)),
        device(device),
        processes(processes),
        model(same_model ? same_model->model
                         : models::load<B, float>(device, std::make_shared<io::checkpoint>(models::open(o.model)))),
        base_hash(same_model ? same_model->base_hash : models::weights_hash(o.model)),
        tokenizer(same_model ? same_model->tokenizer : models::open_tokenizer(o.model)),
        rows(load_rows(o, tokenizer, made_for, seed)),
        set(encode(rows.tasks, {tokenizer, model->vocabulary()}, o.prompt(),
                   std::min<index_t>(o.max_length, model->context()), o.truncate, o.train_limit)),
        scored(device, *model, tokenizer, rows.scored, o.prompt(), o.truncate, o.eval_limit, shows_progress, processes),
        dev(device, *model, tokenizer, rows.dev, o.prompt(), o.truncate, o.dev_limit, shows_progress, processes) {
    set_types(set, o.task_types);
    if (same_model && same_model->settings.wording == o.wording && same_model->settings.truncate == o.truncate)
      scored.take_base(same_model->scored);
  }
  experiment(const experiment&) = delete;
  experiment& operator=(const experiment&) = delete;

  const data::encoded_example& longest() const {
    return *std::max_element(set.examples.begin(), set.examples.end(),
                             [](const auto& a, const auto& b) { return a.ids.size() < b.ids.size(); });
  }

  data_settings settings;
  index_t made_for;
  B& device;
  distributed::process_group& processes;
  std::shared_ptr<models::language_model<B, float>> model;
  std::string base_hash;
  texts::tokenizer tokenizer;
  run_rows rows;
  training_set set;
  evaluation<B> scored, dev;
};

}  // namespace mor1e::train
