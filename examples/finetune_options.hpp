// The options of programs that train, by what they decide.
#pragma once

#include <optional>
#include <string>

#include "method_options.hpp"
#include "mor1e/train/run/settings.hpp"
#include "program.hpp"

namespace mor1e::program {

inline void add_data_options(CLI::App& app, train::data_settings& o) {
  const auto count = accept::count();
  app.add_option("--model", o.model, "folder, .gguf file, short name (smollm2) or toy")->capture_default_str();
  app.add_option("--data", o.data, "data folder with <task>/train.jsonl, or a generated one: suite, suite-hard")
      ->capture_default_str();
  app.add_option("--tasks", o.tasks, "a,b: only these tasks");
  app.add_option("--unseen", o.unseen, "a,b: of these, tasks that are scored and not trained on");
  app.add_option("--eval-data", o.eval_data, "data folder whose tasks are scored in place of those of --data");
  app.add_option("--task-types", o.task_types, "a,b: the tasks of type 1 (world knowledge) for --type-balance");
  app.add_option("--max-length", o.max_length, "tokens of an example")->check(count)->capture_default_str();
  app.add_flag("--truncate", o.truncate,
               "cut longer prompts at their left instead of refusing (of the evaluation: beyond the model's context)");
  app.add_option("--train-limit", o.train_limit, "rows of each task")->check(count);
  app.add_option("--dev-limit", o.dev_limit, "rows of each task kept out of the training, to choose hyperparameters by")
      ->check(count);
  app.add_option("--template", o.wording, texts::template_names() + "; the rows' own unless given");
  app.add_option("--answer", o.answer, "letter or text; the rows' own unless given");
  app.add_option("--eval-limit", o.eval_limit, "rows of each task's eval.jsonl scored before and after; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

/// A preset of the optimiser's side, and what was given on top.
struct schedule_options {
  std::string preset = "quick";
  std::optional<index_t> steps = {}, batch = {}, warmup = {};
  std::optional<double> learning_rate = {}, clip = {}, weight_decay = {}, epochs = {};

  train::schedule_settings settings() const {
    train::schedule_settings s = train::schedule_of(preset);
    const auto set = [](const auto& given, auto& to) {
      if (given) to = *given;
    };
    set(batch, s.batch), set(warmup, s.warmup);
    set(learning_rate, s.learning_rate), set(clip, s.clip), set(weight_decay, s.weight_decay);
    if (epochs) s.epochs = *epochs, s.steps = 0;
    set(steps, s.steps);
    return s;
  }
};

inline void add_schedule_options(CLI::App& app, schedule_options& o) {
  const auto count = accept::count();
  app.add_option("--preset", o.preset, "paper, release, quick or suite: batch, rate, warm-up, clip, epochs")
      ->capture_default_str();
  app.add_option("--batch", o.batch, "examples of a step")->check(count);
  app.add_option("--lr", o.learning_rate, "highest learning rate")->check(accept::positive());
  app.add_option("--warmup", o.warmup, "steps")->check(CLI::NonNegativeNumber);
  app.add_option("--clip", o.clip, "largest gradient norm; 0: none")->check(accept::not_negative());
  app.add_option("--weight-decay", o.weight_decay, "decoupled")->check(accept::not_negative());
  app.add_option("--epochs", o.epochs, "passes over the data")->check(accept::positive());
  app.add_option("--steps", o.steps, "optimiser steps, instead of epochs")->check(count);
}

inline void add_run_options(CLI::App& app, train::run_settings& o) {
  const auto count = accept::count();
  app.add_option("--intuition", o.intuition,
                 "embedder: minilm (the default), a BERT folder, E.safetensors (vectors of any embedder, the list of "
                 "their texts in E.json), toy (the default of the toy model); or random, category, none");
  app.add_option("--categories", o.categories, "a,b;c: tasks that intuition category takes for one category");
  app.add_option("--prefix", o.prefix, "put before every text that is embedded");
  app.add_option("--similarity", o.similarity, "cosine, or dot: to centroids of any length")->capture_default_str();
  app.add_option("--cluster-sample", o.cluster_sample, "prompts of each task that are clustered; all unless given")
      ->check(count);
  app.add_option("--order", o.order, "shuffled or round-robin over the tasks");
  app.add_option("--micro-batch", o.micro_batch,
                 "tokens of one pass, at least those of the longest example; does not change the result")
      ->check(count)
      ->default_str("2048 or longest");
  app.add_flag("--recompute", o.recompute,
               "run blocks again in the backward: a third of the memory, a third more time");
  app.add_flag("--cuda-graph", o.device_graph,
               "a pass of a CUDA device as one launch, after two for each size of batch");
  app.add_option("--memory", o.memory, "900MB, 2.4GB: fit the step into this, or refuse");
  app.add_option("--eval-every", o.eval_every, "steps; also score while training, into the log")->check(count);
  app.add_option("--checkpoint-every", o.checkpoint_every, "steps")->check(count)->capture_default_str();
}

}  // namespace mor1e::program
