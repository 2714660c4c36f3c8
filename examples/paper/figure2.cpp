// figure2: what the tasks look like to the embedder, and whether that is how people sort them. Figure 2 of
// Intuition-MoR1E, with the agreement as a number.
//
//     figure2 --data FOLDER --answer text --template bare --out DIR
//     figure2 --quick --out DIR
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report.hpp"
#include "method_options.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/run/settings.hpp"
#include "mor1e/train/training_intuition.hpp"
#include "paper/categories.hpp"
#include "paper/task_map.hpp"
#include "picture.hpp"
#include "program.hpp"
#include "progress.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct figure_options {
  program::common_options common;
  train::data_settings data = {.model = "none"};  // none is trained
  std::string embedder = "minilm", categories, out;
  index_t limit = 60, clusters = 32;
  bool quick = false;
};

void add_options(CLI::App& app, figure_options& o) {
  const auto count = program::accept::count();
  app.add_option("--data", o.data.data, "data folder with <task>/train.jsonl, or a generated one: suite, suite-hard");
  app.add_option("--tasks", o.data.tasks, "a,b: only these tasks");
  app.add_option("--limit", o.limit, "prompts of each task, drawn by the seed")->check(count)->capture_default_str();
  app.add_option("--template", o.data.wording, texts::template_names() + "; the rows' own unless given");
  app.add_option("--answer", o.data.answer, "letter or text; the rows' own unless given");
  app.add_option("--embedder", o.embedder, "minilm, a BERT folder, E.safetensors with the texts in E.json, or toy")
      ->capture_default_str();
  app.add_option("--clusters", o.clusters, "of k-means, for the column cluster and the first lines of the table")
      ->check(count)
      ->capture_default_str();
  app.add_option("--categories", o.categories, "a,b;c: which tasks belong together; the paper's unless given");
  app.add_flag("--quick", o.quick, "the generated suite, the toy embedder, 12 prompts of each task, where not given");
  app.add_option("--out", o.out, "folder for figure2.md, .tex, .csv, .json and the pictures")->required();
}

/// What --quick says, as far as it was not given.
std::vector<std::string> quick_arguments(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto& [name, value] :
       {std::pair("data", "suite"), std::pair("embedder", "toy"), std::pair("limit", "12"), std::pair("clusters", "8")})
    if (app.count(std::string("--") + name) == 0) out.push_back(std::string("--") + name + "=" + value);
  return out;
}

std::vector<data::task_data> read_tasks(const figure_options& o) {
  if (!data::is_suite(o.data.data)) return data::read_data_folder(o.data.data, o.data.tasks, data::splits::present);
  std::vector<data::task_data> made =
      data::make_suite([](std::string_view) { return true; }, {.train_items = o.limit, .train_seed = o.common.seed},
                       data::suite_families(o.data.data));
  std::vector<std::string> names;
  for (const data::task_data& task : made) names.push_back(task.name);
  const std::vector<std::string> chosen = data::select_tasks(names, o.data.tasks);
  std::erase_if(made, [&](const auto& t) { return std::find(chosen.begin(), chosen.end(), t.name) == chosen.end(); });
  return made;
}

/// Sorts the tasks into those of "a,b;c", or into the paper's.
void sort_tasks(program::prompt_set& set, const std::string& given) {
  const std::vector<std::string> groups =
      train::categories_of(set.tasks, given.empty() ? program::paper_categories(set.tasks) : given);
  std::vector<std::string> named;
  for (const std::string& group : groups) {
    for (const std::string& task : data::select_tasks(set.tasks, group, "--categories")) {
      require<value_error>(std::find(named.begin(), named.end(), task) == named.end(), "--categories: ", task,
                           " is in two of ", given);
      named.push_back(task);
    }
    const std::string of_paper = program::paper_category_of(group.substr(0, group.find(',')));
    std::string joined = group;
    std::replace(joined.begin(), joined.end(), ',', '+');
    set.categories.push_back(given.empty() && !of_paper.empty() ? of_paper : joined);
  }
  for (const std::string& task : set.tasks) set.category_of.push_back(index_t(train::category_of(groups, task)));
  require<value_error>(groups.size() > 1, "all tasks are of one category: there is nothing to tell apart");
}

program::prompt_set read_prompts(const figure_options& o) {
  program::prompt_set out;
  std::vector<data::task_data> tasks = read_tasks(o);
  for (const data::task_data& task : tasks) out.tasks.push_back(task.name);
  sort_tasks(out, o.categories);
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const auto& rows = tasks[t].train.empty() ? tasks[t].eval : tasks[t].train;
    std::vector<std::pair<double, std::size_t>> drawn;
    for (std::size_t i = 0; i < rows.size(); ++i)
      drawn.emplace_back(uniform<double>(stream_key(o.common.seed, t), i), i);
    std::sort(drawn.begin(), drawn.end());
    for (std::size_t i = 0; i < drawn.size() && index_t(i) < o.limit; ++i) {
      out.prompts.push_back(texts::render_instance(rows[drawn[i].second], o.data.prompt()));
      out.task.push_back(index_t(t));
    }
  }
  require<value_error>(out.size() >= 10, out.size(), " prompts; a map needs ten at least");
  for (const index_t k : {o.clusters, index_t(tasks.size())})
    require<value_error>(k <= out.size(), "--clusters: ", k, " clusters of ", out.size(), " prompts");
  return out;
}

/// The pairs of tasks that the paper names, those there are.
program::result_table named_pairs(const program::prompt_set& set, const program::findings& f) {
  const struct {
    const char *a, *b, *said;
  } named[] = {{"boolq", "csqa", "one category, far apart"},
               {"obqa", "multirc", "one category, not together"},
               {"piqa", "siqa", "one category, not together"},
               {"obqa", "arc_easy", "different categories, overlapping"}};
  program::result_table out{.title = "Pairs that the paper names, by the cosine of their centroids",
                            .columns = {"pair", "categories", "the paper", "cosine", "pairs that are nearer"},
                            .rows = {}};
  for (const auto& each : named) {
    const index_t a = set.number_of(each.a), b = set.number_of(each.b), tasks = index_t(set.tasks.size());
    index_t nearer = 0, pairs = 0;
    if (std::max(a, b) == tasks) continue;
    for (index_t i = 0; i < tasks; ++i)
      for (index_t j = 0; j < i; ++j) ++pairs, nearer += f.cosines(i, j) > f.cosines(a, b);
    const std::string &first = set.categories[set.category_of[a]], &second = set.categories[set.category_of[b]];
    out.rows.push_back({fmt::format("{}, {}", each.a, each.b), first == second ? first : first + ", " + second,
                        each.said, fmt::format("{:.3f}", f.cosines(a, b)), fmt::format("{} of {}", nearer, pairs)});
  }
  return out;
}

program::report describe(const figure_options& o, const program::prompt_set& set, const program::findings& f) {
  program::report r{
      .title = "Figure 2: the tasks as the embedder sees them",
      .terms = fmt::format("{} prompts of {} tasks of {} by {}, at most {} a task; seed {}.", set.size(),
                           set.tasks.size(), fs::path(o.data.data + "/").parent_path().filename().string(), o.embedder,
                           o.limit, o.common.seed),
      .tables = {},
      .notes = {},
      .pictures = {}};
  program::result_table table{
      .title = "K-means of the embeddings against how the prompts are sorted",
      .columns = {"clusters", "sorted by", "adjusted Rand", "mutual information", "of labels shuffled"},
      .rows = {}};
  for (const program::agreement& a : f.agreements)
    table.rows.push_back({fmt::format("{}", a.clusters), a.with, fmt::format("{:.3f}", a.rand),
                          fmt::format("{:.3f}", a.information), fmt::format("{:.3f}", a.shuffled_information)});
  r.tables.push_back(std::move(table));
  if (program::result_table pairs = named_pairs(set, f); !pairs.rows.empty()) r.tables.push_back(std::move(pairs));
  const bool several = std::isfinite(f.within);
  if (several) {
    r.notes.push_back(fmt::format(
        "Mean cosine of the centroids of two tasks: {:.3f} within a category, {:.3f} between.", f.within, f.between));
    r.notes.push_back(fmt::format(
        "Tasks dealt by lot into categories of these sizes, {} times: adjusted Rand {:.3f} on average, as good as the "
        "categories' own in {:.1f} % of the draws; cosine within less between {:+.3f} on average, as good in {:.1f} %.",
        f.by_lot.drawn, f.by_lot.mean_rand, 100 * f.by_lot.rand_as_good, f.by_lot.mean_gap,
        100 * f.by_lot.gap_as_good));
  }
  std::string sorted;
  for (std::size_t c = 0; c < set.categories.size(); ++c) {
    std::string members;
    for (std::size_t t = 0; t < set.tasks.size(); ++t)
      if (set.category_of[t] == index_t(c)) members += (members.empty() ? "" : ", ") + set.tasks[t];
    sorted += (c ? "; " : "") + (members == set.categories[c] ? members : set.categories[c] + ": " + members);
  }
  r.notes.push_back("Categories: " + sorted + ".");
  r.notes.push_back(
      "Adjusted Rand is 0 for clusters that have nothing to do with the sorting and 1 for the same one; mutual "
      "information is over the mean of both entropies, and what shuffled labels have of it is chance.");
  r.notes.push_back(
      "The paper (arXiv 2404.08985v1, Figure 2): \"Semantic clusters appear to be not align with preconceived task "
      "groupings\". It shows twenty sets by nomic-embed-text-v1, and gives no number.");
  r.notes.push_back(fmt::format(
      "Pictures: t-SNE of perplexity {:.3g}, divergence {:.3f}, whose distances between groups mean little; principal "
      "components with {:.1f} and {:.1f} % of the variance.",
      f.perplexity, f.tsne.divergence, 100 * f.pca.explained[0], 100 * f.pca.explained[1]));
  return r;
}

/// A form and colour for each task, and its name at the point that is nearest to the middle of its own.
bool draw(const fs::path& file, const program::chart& c, const program::prompt_set& set, const tensor<double>& points) {
  std::vector<program::point_cloud> clouds;
  for (std::size_t t = 0; t < set.tasks.size(); ++t) {
    const std::string& category = set.categories[set.category_of[t]];
    program::point_cloud cloud{
        .name = category == set.tasks[t] ? category : fmt::format("{} ({})", set.tasks[t], category), .x = {}, .y = {}};
    for (index_t i = 0; i < set.size(); ++i)
      if (set.task[i] == index_t(t)) cloud.x.push_back(points(i, 0)), cloud.y.push_back(points(i, 1));
    const auto middle = [](std::vector<double> values) {
      std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
      return values[values.size() / 2];
    };
    const double x = middle(cloud.x), y = middle(cloud.y);
    std::size_t nearest = 0;
    const auto distance = [&](std::size_t i) { return std::hypot(cloud.x[i] - x, cloud.y[i] - y); };
    for (std::size_t i = 0; i < cloud.x.size(); ++i) nearest = distance(i) < distance(nearest) ? i : nearest;
    cloud.labels.assign(nearest + 1, "");
    cloud.labels[nearest] = set.tasks[t];
    clouds.push_back(std::move(cloud));
  }
  return program::draw_points(file, c, clouds);
}

nlohmann::json to_json(const figure_options& o, const program::prompt_set& set, const program::findings& f) {
  nlohmann::json out = {{"data", o.data.data},
                        {"embedder", o.embedder},
                        {"prompts", set.size()},
                        {"seed", o.common.seed},
                        {"clusters", o.clusters},
                        {"variance_explained", f.pca.explained},
                        {"tsne", {{"perplexity", f.perplexity}, {"divergence", f.tsne.divergence}}},
                        {"cosine_between", f.between}};
  for (std::size_t t = 0; t < set.tasks.size(); ++t) {
    const double* row = &f.cosines(index_t(t), 0);
    out["tasks"].push_back({{"name", set.tasks[t]},
                            {"category", set.categories[set.category_of[t]]},
                            {"prompts", std::count(set.task.begin(), set.task.end(), index_t(t))},
                            {"cosines", std::vector<double>(row, row + set.tasks.size())}});
  }
  for (const program::agreement& a : f.agreements)
    out["agreement"].push_back({{"clusters", a.clusters},
                                {"sorted_by", a.with},
                                {"adjusted_rand", a.rand},
                                {"mutual_information", a.information},
                                {"mutual_information_shuffled", a.shuffled_information}});
  if (std::isfinite(f.within)) {
    out["cosine_within"] = f.within;
    out["by_lot"] = {{"draws", f.by_lot.drawn},
                     {"adjusted_rand", f.by_lot.mean_rand},
                     {"adjusted_rand_as_good", f.by_lot.rand_as_good},
                     {"cosine_gap", f.by_lot.mean_gap},
                     {"cosine_gap_as_good", f.by_lot.gap_as_good}};
  }
  return out;
}

void write(const figure_options& o, const program::prompt_set& set, const program::findings& f) {
  const fs::path out = o.out;
  fs::create_directories(out);
  std::string rows = "task,category,cluster,pca_x,pca_y,tsne_x,tsne_y\n";
  for (index_t i = 0; i < set.size(); ++i)
    rows += fmt::format("{},{},{},{:.6g},{:.6g},{:.6g},{:.6g}\n", program::csv(set.tasks[set.task[i]]),
                        program::csv(set.categories[set.category_of[set.task[i]]]), f.cluster[i], f.pca.points(i, 0),
                        f.pca.points(i, 1), f.tsne.points(i, 0), f.tsne.points(i, 1));
  io::write_text(out / "figure2.csv", rows);
  program::report r = describe(o, set, f);
  const auto axis = [&](int k) {
    return fmt::format("component {}: {:.1f} % of the variance", k + 1, 100 * f.pca.explained[k]);
  };
  const auto title = [&](const char* by) {
    return fmt::format("{} prompts of {} tasks by {}: {}", set.size(), set.tasks.size(), o.embedder, by);
  };
  if (draw(out / "figure2.svg", {.title = title("t-SNE")}, set, f.tsne.points)) r.pictures.push_back("figure2.svg");
  if (draw(out / "figure2-pca.svg", {.title = title("principal components"), .x_label = axis(0), .y_label = axis(1)},
           set, f.pca.points))
    r.pictures.push_back("figure2-pca.svg");
  io::write_text(out / "figure2.md", program::markdown(r));
  io::write_text(out / "figure2.tex", program::latex(r));
  const nlohmann::json json = to_json(o, set, f);
  io::write_json(out / "figure2.json", json);
  program::write_results(o.common, json);
  program::say(o.common, "{}", program::markdown(r));
  if (r.pictures.empty()) program::say(o.common, "\nThe pictures are there as .gp alone: gnuplot is not installed.\n");
}

template <class B>
void run(B& device, const figure_options& o) {
  require<value_error>(!o.data.data.empty(), "--data is required: a folder or suite; --quick takes suite");
  o.data.check();
  io::require_writable_folder(o.out);
  const program::prompt_set set = read_prompts(o);
  const auto embedder = models::load_sentence_embedder(device, o.embedder);
  embedder->check(set.prompts);
  tensor<float> embeddings;
  {
    program::progress_line line("embedding", "prompts", o.common.quiet);
    embeddings = embedder->embed(set.prompts, [&](std::size_t done, std::size_t all) { line.update(done, all); });
  }
  write(o, set, program::look(device, set, read_only(embeddings), o.clusters, o.common.seed, o.common.quiet));
}

}  // namespace

int main(int argc, char** argv) {
  figure_options options;
  return program::run(
      argc, argv, "figure2", "Figure 2: a map of the tasks, and how far clusters agree with categories", options.common,
      [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { run(device, options); }),
      [&](const CLI::App& app) {
        options.common.folder = options.out;
        return options.quick ? quick_arguments(app) : std::vector<std::string>();
      });
}
