// Definitions of train/training_intuition.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string_view>

#include "mor1e/core/error.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/core/split.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/training_intuition.hpp"

namespace mor1e::train {

MOR1E_INLINE nlohmann::json training_intuition::settings() const {
  const cluster::embedding_origin& origin = recipe.source.origin;
  nlohmann::json out = {{"kind", name_of(recipe.kind)},  {"embedder", origin.embedder_hash},
                        {"prefix", origin.prefix},       {"similarity", cluster::name_of(recipe.source.kind)},
                        {"clustered", clustered.size()}, {"clusters", recipe.width}};
  if (!recipe.embeds()) out["categories"] = recipe.categories;
  return out;
}

MOR1E_INLINE tensor<float> training_intuition::gathered(const tensor<float>& embeddings) const {
  const index_t width = embeddings.extents().cols();
  tensor<float> out(shape{index_t(clustered.size()), width});
  for (std::size_t i = 0; i < clustered.size(); ++i)
    std::copy_n(embeddings.data() + clustered[i] * width, width, out.data() + index_t(i) * width);
  return out;
}

MOR1E_INLINE tensor<float> training_intuition::embed(const std::filesystem::path& cache, bool quiet) {
  const cluster::embedding_origin& origin = recipe.source.origin;
  try {
    if (std::filesystem::exists(cache)) return cluster::read_embeddings(cache, origin);
  } catch (const value_error&) {  // of other texts or another embedder
  } catch (const io_error& e) {
    std::fprintf(stderr, "%s; the embeddings are made again\n", one_line(e.what(), 240).c_str());
  }
  train::progress progress("embedding", std::int64_t(prompts.size()), quiet);
  tensor<float> embeddings = embed_with_prefix(
      *embedder, prompts, origin.prefix, [&](std::size_t done, std::size_t) { progress.show(std::int64_t(done)); });
  cluster::write_embeddings(cache, origin, embeddings);
  return embeddings;
}

MOR1E_INLINE std::vector<std::string> categories_of(const std::vector<std::string>& tasks, const std::string& grouped) {
  if (grouped.empty()) return tasks;
  const std::vector<std::string> out = split(grouped, ';');
  require<value_error>(std::find(out.begin(), out.end(), "") == out.end(), "--categories: an empty one in ", grouped);
  for (const std::string& task : tasks)
    require<value_error>(category_of(out, task) < out.size(), "--categories: ", task, " is in none of ", grouped);
  return out;
}

MOR1E_INLINE training_intuition category_intuition(std::vector<std::string> tasks, index_t columns,
                                                   const texts::prompt_options& wording) {
  training_intuition out;
  out.recipe.kind = intuition_kind::category;
  out.recipe.categories = std::move(tasks);
  out.recipe.width = columns;
  out.recipe.wording = wording;
  return out;
}

namespace detail {

/// `count` examples of each task, or all it has; in their order.
inline std::vector<index_t> drawn_of_each_task(std::span<const data::example> examples, index_t count,
                                               std::uint64_t seed) {
  std::map<std::string_view, std::vector<std::pair<double, index_t>>> by_task;
  for (std::size_t i = 0; i < examples.size(); ++i)
    by_task[examples[i].task].emplace_back(uniform<double>(seed, i), index_t(i));
  std::vector<index_t> out;
  for (auto& [task, drawn] : by_task) {
    std::sort(drawn.begin(), drawn.end());
    for (index_t i = 0; i < std::min(count, index_t(drawn.size())); ++i) out.push_back(drawn[std::size_t(i)].second);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace detail

MOR1E_INLINE training_intuition embedded_intuition(std::unique_ptr<models::sentence_embedder> embedder,
                                                   std::span<const data::example> examples,
                                                   const clustering_options& options) {
  training_intuition out;
  if (options.sample > 0) out.clustered = detail::drawn_of_each_task(examples, options.sample, options.seed);
  const std::size_t points = options.sample > 0 ? out.clustered.size() : examples.size();
  require<value_error>(options.clusters <= index_t(points), "intuition: ", options.clusters, " clusters of ", points,
                       " examples");
  out.recipe.kind = options.kind;
  out.recipe.width = options.clusters;
  out.recipe.wording = options.wording;
  if (options.kind == intuition_kind::random) out.recipe.seed = options.seed;
  out.prompts = prompts_of(examples, options.wording);
  std::string all;
  for (const std::string& prompt : out.prompts) all += prompt + '\0';
  cluster::intuition_source& source = out.recipe.source;
  source.embedder = embedder->id();
  source.origin = {embedder->hash(), options.prefix, io::sha256_of(std::as_bytes(std::span(all.data(), all.size())))};
  source.seed = options.seed;
  source.kind = options.similarity;
  check_prompts(out.recipe, *embedder, examples);
  out.embedder = std::move(embedder);
  return out;
}

}  // namespace mor1e::train
