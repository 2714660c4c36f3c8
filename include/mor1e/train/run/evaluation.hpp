// What a run scores before and after its training.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/eval/report.hpp"
#include "mor1e/eval/router_report.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/train/intuition.hpp"
#include "mor1e/train/telemetry.hpp"

namespace mor1e::train {

/// The first rows of each task's eval.jsonl, scored as often as asked with the same intuition.
template <class B>
class evaluation {
 public:
  /// Throws `value_error` for a row that cannot be scored: before the training, not behind it.
  evaluation(B& device, models::language_model<B, float>& model, const texts::tokenizer& tokenizer,
             const std::vector<data::task_data>& tasks, const texts::prompt_options& wording, bool truncate,
             index_t limit, bool shows_progress, distributed::process_group& processes = distributed::alone())
      : device_(device),
        processes_(processes),
        model_(model),
        scorer_(device, model, tokenizer, {.template_name = wording.template_name, .truncate = truncate}, processes),
        quiet_(!shows_progress) {
    for (const data::task_data& task : tasks)
      for (data::example row :
           std::span(task.eval).first(std::min<std::size_t>(task.eval.size(), std::size_t(limit)))) {
        if (wording.style) row.style = wording.style;
        scorer_.encoder().encode(row, 0);
        items_.push_back(std::move(row));
      }
  }

  bool empty() const { return items_.empty(); }
  /// Of the items, as they are asked and in their order.
  std::string hash() const {
    std::string all;
    for (const data::example& row : items_) all += data::to_line(row) + '\n';
    return io::sha256_of(std::as_bytes(std::span(all.data(), all.size())));
  }
  const std::vector<data::example>& items() const { return items_; }
  /// Throws `value_error` for rows of no category, or those that the embedder has no vectors of.
  void check(const intuition_recipe& recipe, models::sentence_embedder* embedder) const {
    if (embedder)
      check_prompts(recipe, *embedder, items_);
    else
      category_rows(recipe, items_);
  }
  void set_intuition(B& device, const intuition_recipe& recipe, models::sentence_embedder* embedder) {
    if (empty()) return;
    if (processes_.leads()) intuition_ = intuition_rows(device, recipe, embedder, items_);
    distributed::broadcast(processes_, intuition_);
  }
  std::vector<eval::item_score> score(const char* label) { return score(label, intuition_); }
  /// What the model without these adapters scores: once for all that are asked about.
  const std::vector<eval::item_score>& score_base(peft::adapter_set<B, float>& adapters) {
    if (base_.empty()) {
      adapters.detach();
      base_ = score("scoring the base");
      adapters.attach();
    }
    return base_;
  }
  /// Takes over what the same model scored on the same items.
  void take_base(const evaluation& other) {
    if (!other.base_.empty() && hash() == other.hash()) base_ = other.base_;
  }
  /// With the rows of intuition dealt to other items: what falls is what the model drew from an item's own.
  std::vector<eval::item_score> score_permuted(std::uint64_t seed) {
    return score("scoring, permuted", permuted_rows(intuition_.matrix(), seed));
  }
  /// What the experts do with the prompts of the items.
  eval::router_report routers(peft::adapter_set<B, float>& adapters) {
    return eval::report_routers<B, float>(device_, model_, adapters, scorer_.encoder(), items_, intuition_.matrix());
  }

 private:
  std::vector<eval::item_score> score(const char* label, const tensor<float>& intuition) {
    progress progress(label, std::int64_t(items_.size()), quiet_);
    std::int64_t done = 0;
    return scorer_.score(items_, intuition.matrix(), [&](const eval::item_score&) { progress.show(++done); });
  }

  B& device_;
  distributed::process_group& processes_;
  models::language_model<B, float>& model_;
  eval::scorer<B, float> scorer_;
  bool quiet_;
  std::vector<data::example> items_;
  tensor<float> intuition_;
  std::vector<eval::item_score> base_;
};

/// The same items before and after a training, and after it with the intuition permuted over them (or empty).
struct evaluated {
  std::vector<eval::item_score> before, after, permuted;
};

/// Accuracies and paired tests.
inline nlohmann::json to_json(const evaluated& e) {
  nlohmann::json out = {{"before", eval::to_json(eval::summarise(e.before))},
                        {"after", eval::to_json(eval::summarise(e.after))}};
  for (const eval::metric by : eval::headlines(e.after)) {
    out["change"].push_back(eval::to_json(eval::compare(e.before, e.after, by)));
    if (!e.permuted.empty()) out["permuted"].push_back(eval::to_json(eval::compare(e.permuted, e.after, by)));
  }
  return out;
}
inline std::string table(const evaluated& e) {
  std::string out = text("\nBefore (the base model)\n", eval::table(eval::summarise(e.before)), "\nAfter\n",
                         eval::table(eval::summarise(e.after)));
  for (const eval::metric by : eval::headlines(e.after)) {
    out += text("\nBefore against after, the same items\n", eval::table(eval::compare(e.before, e.after, by)));
    if (!e.permuted.empty())
      out += text("\nIntuition permuted over the items against each item's own, both after training\n",
                  eval::table(eval::compare(e.permuted, e.after, by)));
  }
  return out;
}

}  // namespace mor1e::train
