// evaluate: how often a model, with or without an adapter, is right.
//
//     evaluate --model smollm2 --data suite
//     evaluate --model smollm2 --adapter out/adapter --data folder --tasks boolq,rte --scoring letter --log items.jsonl
//     evaluate --model smollm2 --adapter out/adapter --data suite --intuition permuted
//     evaluate --model smollm2 --adapter out/adapter --data suite --routers looks
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapted_model.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/eval/report.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/train/intuition.hpp"
#include "mor1e/train/run/rows.hpp"
#include "mor1e/train/telemetry.hpp"
#include "program.hpp"
#include "router_pictures.hpp"

using namespace mor1e;

namespace {

struct evaluate_options {
  program::common_options common;
  std::string model, adapter, data, tasks, scoring = "rows", wording, intuition = "as-trained", embedder, routers;
  index_t limit = 0, batch_tokens = 2048;
  std::uint64_t eval_seed = data::suite_options{}.eval_seed;
  bool against_base = false, truncate = false;
};

void add_options(CLI::App& app, evaluate_options& o) {
  app.add_option("--model", o.model, "folder, .gguf file, short name or toy")->required();
  app.add_option("--adapter", o.adapter, "folder of an adapter, or of a run");
  app.add_option("--data", o.data, "data folder (<task>/eval.jsonl), or suite: the generated tasks")->required();
  app.add_option("--tasks", o.tasks, "some of the tasks: a,b");
  app.add_option("--scoring", o.scoring, "letter, loglik, both; rows: both, but loglik alone where answers are texts")
      ->capture_default_str();
  app.add_option("--template", o.wording, texts::template_names() + "; what the rows or the adapter say unless given");
  app.add_flag("--truncate", o.truncate, "cut prompts beyond the context at their left instead of refusing");
  app.add_option("--limit", o.limit, "the first N items of each task")->check(CLI::Range(index_t(1), index_t(1) << 40));
  app.add_option("--intuition", o.intuition,
                 "as-trained; permuted over the items, compared with as-trained; none: zeros")
      ->capture_default_str();
  app.add_option("--embedder", o.embedder, "where the embedder of the adapter's intuition lies, if not where it was");
  app.add_flag("--against-base", o.against_base, "score the base alone too, and compare");
  app.add_option("--routers", o.routers, "folder for what the routers do with the prompts: routers.json and pictures");
  app.add_option("--eval-seed", o.eval_seed, "of the items of --data suite")->capture_default_str();
  app.add_option("--batch-tokens", o.batch_tokens, "of one forward pass")
      ->check(CLI::Range(index_t(1), index_t(1) << 30))
      ->capture_default_str();
}

/// The evaluation items of all tasks, one after the other.
std::vector<data::example> load_items(const evaluate_options& o) {
  std::vector<data::task_data> tasks;
  if (data::is_suite(o.data)) {
    const auto tokenizer = models::open_tokenizer(o.model);
    std::vector<std::string> names;
    for (const auto& family : data::suite_families(o.data)) names.emplace_back(family.name);
    for (const std::string& name : data::select_tasks(names, o.tasks))
      for (const auto& family : data::suite_families(o.data))
        if (family.name == name)
          tasks.push_back({name,
                           {},
                           data::suite_examples(family, data::suite_split::eval, data::suite_options{}.eval_items,
                                                o.eval_seed, train::one_token(tokenizer))});
  } else {
    tasks = data::read_data_folder(o.data, o.tasks, data::splits::eval);
  }
  std::vector<data::example> items;
  for (data::task_data& task : tasks) {
    const index_t count =
        o.limit > 0 ? std::min<index_t>(o.limit, index_t(task.eval.size())) : index_t(task.eval.size());
    for (index_t i = 0; i < count; ++i) {
      items.push_back(std::move(task.eval[std::size_t(i)]));
      items.back().task = task.name;
    }
  }
  return items;
}

/// What the adapter was trained with stands in for what was not given.
template <class B>
eval::scoring_options scoring_of(const evaluate_options& o, const program::adapted_model<B>& base) {
  eval::scoring_options out{.how = eval::scoring_named(o.scoring),
                            .template_name = o.wording,
                            .pass = {.tokens = o.batch_tokens},
                            .truncate = o.truncate};
  if (!base.adapter || !base.adapter->record.extras.is_object()) return out;
  const nlohmann::json& extras = base.adapter->record.extras;
  const auto field = [&](const char* name) {
    return extras.contains(name) && extras[name].is_string() ? extras[name].get<std::string>() : std::string();
  };
  if (out.template_name.empty()) out.template_name = field("template");
  if (out.how == eval::scoring::rows && field("answer") == "text") out.how = eval::scoring::loglik;
  return out;
}

/// The intuition of the items as the adapter was trained with it.
template <class B>
tensor<float> trained_intuition(B& device, const evaluate_options& o, const peft::adapter_record& record,
                                const std::vector<data::example>& items) {
  const auto recipe = train::recipe_from_json(record.intuition, record.centroids.clone(), o.adapter);
  std::unique_ptr<models::sentence_embedder> embedder;
  if (recipe.embeds()) {
    embedder = models::load_sentence_embedder(device, o.embedder.empty() ? recipe.source.embedder : o.embedder);
    train::check_embedder(recipe.source, *embedder, o.adapter);
  }
  train::progress progress("embedding", std::int64_t(items.size()), o.common.quiet);
  return train::intuition_rows(device, recipe, embedder.get(), items,
                               [&](std::size_t done, std::size_t) { progress.show(std::int64_t(done)); });
}

void check_options(const evaluate_options& o) {
  eval::scoring_named(o.scoring);
  if (!o.wording.empty()) texts::find_template(o.wording);
  require<value_error>(o.intuition == "as-trained" || o.intuition == "permuted" || o.intuition == "none",
                       "--intuition ", o.intuition, " is none of as-trained, permuted, none");
  const bool needs_adapter = o.against_base || o.intuition != "as-trained" || !o.embedder.empty() || !o.routers.empty();
  require<value_error>(!needs_adapter || !o.adapter.empty(),
                       "--against-base, --intuition, --embedder and --routers need an --adapter");
}

template <class B>
void evaluate(B& device, const evaluate_options& o) {
  check_options(o);
  if (!o.routers.empty()) io::require_writable_folder(o.routers);
  const std::vector<data::example> items = load_items(o);
  auto base = program::load_adapted(device, o.model, o.adapter);
  if (!o.routers.empty()) program::require_routers(base.adapter->record.spec, o.adapter);
  require<value_error>(base.reads_intuition() || o.intuition == "as-trained", "--intuition ", o.intuition,
                       ": the adapter ", o.adapter, " reads no intuition");
  tensor<float> intuition;
  if (base.reads_intuition()) intuition = trained_intuition(device, o, base.adapter->record, items);
  if (o.intuition == "none") intuition.fill(0);

  eval::scorer<B, float> scorer(device, *base.model, models::open_tokenizer(o.model), scoring_of(o, base));
  for (const data::example& item : items) scorer.encoder().encode(item, 0);  // refused before the log is replaced
  program::log_file log(o.common);
  double seconds = 0;
  const auto score = [&](const char* what, view<const float> intuition) {
    const auto begin = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    train::progress progress("evaluating", std::int64_t(items.size()), o.common.quiet);
    std::int64_t done = 0;
    const auto scores = scorer.score(items, intuition, [&](const eval::item_score& item) {
      ++done;
      progress.show(done, fmt::format("{:.3g} items/s", double(done) / elapsed()));
      nlohmann::json line = eval::to_json(item);
      line["scored"] = what;
      log.write(line);
    });
    seconds += elapsed();
    return scores;
  };

  nlohmann::json results = {
      {"model", o.model}, {"adapter", o.adapter}, {"data", o.data}, {"scoring", o.scoring}, {"intuition", o.intuition}};
  const auto compare = [&](const char* name, const std::vector<eval::item_score>& before,
                           const std::vector<eval::item_score>& after) {
    for (const eval::metric by : eval::headlines(before)) {
      const eval::comparison pairs = eval::compare(before, after, by);
      program::say(o.common, "\n{}: {}", name, eval::table(pairs));
      results["comparisons"].push_back(eval::to_json(pairs));
      results["comparisons"].back()["of"] = name;
    }
  };
  const auto report = [&](const char* title, const char* key, const std::vector<eval::item_score>& scores) {
    const eval::report summary = eval::summarise(scores);
    program::say(o.common, "{}{}", title, eval::table(summary));
    results[key] = eval::to_json(summary);
  };

  std::vector<eval::item_score> base_scores;
  if (o.against_base) {
    base.adapter->set.detach();
    base_scores = score("base", {});
    base.adapter->set.attach();
    report("base model: ", "base", base_scores);
    program::say(o.common, "\nwith the adapter: ");
  }
  const auto scores = score(o.adapter.empty() ? "base" : "adapter", intuition);
  report("", "report", scores);
  if (o.against_base) compare("base -> adapter", base_scores, scores);
  if (o.intuition == "permuted") {
    const tensor<float> mixed = train::permuted_rows(std::as_const(intuition).matrix(), o.common.seed);
    const auto permuted = score("permuted", mixed);
    report("\nintuition permuted over all items: ", "permuted", permuted);
    compare("as trained -> permuted", scores, permuted);
  }
  if (!o.routers.empty())
    program::write_routers(o.routers,
                           eval::report_routers<B, float>(device, *base.model, base.adapter->set, scorer.encoder(),
                                                          items, intuition.matrix(), o.batch_tokens),
                           o.common);
  const double passes = 1.0 + (o.against_base ? 1 : 0) + (o.intuition == "permuted" ? 1 : 0);
  const double rate = passes * double(items.size()) / std::max(seconds, 1e-9);
  program::say(o.common, "{} items in {:.1f} s, {:.0f} a second\n", items.size(), seconds, rate);
  results["seconds"] = seconds;
  results["items_per_second"] = rate;
  program::write_results(o.common, results);
}

}  // namespace

int main(int argc, char** argv) {
  evaluate_options options;
  return program::run(
      argc, argv, "evaluate", "Scores the items of tasks with a language model", options.common,
      [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { evaluate(device, options); }));
}
