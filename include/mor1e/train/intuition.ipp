// Definitions of train/intuition.hpp.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>

#include "mor1e/core/rng.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/train/intuition.hpp"

namespace mor1e::train {

MOR1E_INLINE std::string_view name_of(intuition_kind kind) {
  return kind == intuition_kind::clusters ? "clusters" : kind == intuition_kind::random ? "random" : "category";
}

MOR1E_INLINE nlohmann::json to_json(const intuition_recipe& recipe) {
  nlohmann::json out = recipe.embeds() ? cluster::to_json(recipe.source) : nlohmann::json::object();
  out["kind"] = name_of(recipe.kind);
  if (recipe.kind == intuition_kind::random) out["random_seed"] = recipe.seed;
  if (!recipe.embeds()) {
    out["categories"] = recipe.categories;
    out["columns"] = recipe.width;
    return out;
  }
  if (!recipe.wording.template_name.empty()) out["template"] = recipe.wording.template_name;
  if (recipe.wording.style) out["answer"] = *recipe.wording.style == data::answer_style::letter ? "letter" : "text";
  return out;
}

MOR1E_INLINE intuition_recipe recipe_from_json(const nlohmann::json& object, tensor<float> centroids,
                                               std::string_view where) {
  require<io_error>(object.is_object(), where, ": the intuition is not an object");
  const auto at = [&](const char* name, bool (nlohmann::json::*is)() const noexcept,
                      const char* what) -> const nlohmann::json& {
    require<io_error>(object.contains(name) && (object[name].*is)(), where, ": field '", name, "' of the intuition is ",
                      object.contains(name) ? io::brief(object[name]) : "missing", "; it has to be ", what);
    return object[name];
  };
  intuition_recipe out;
  // A plain source, as cluster::to_json writes it, is the usual kind.
  const std::string kind =
      object.contains("kind") ? at("kind", &nlohmann::json::is_string, "a name").get<std::string>() : "clusters";
  const auto kinds = {intuition_kind::clusters, intuition_kind::random, intuition_kind::category};
  const auto* found = std::find_if(kinds.begin(), kinds.end(), [&](intuition_kind k) { return name_of(k) == kind; });
  require<io_error>(found != kinds.end(), where, ": field 'kind' of the intuition is '", kind,
                    "', not clusters, random or category");
  out.kind = *found;
  if (out.kind == intuition_kind::random)
    out.seed = at("random_seed", &nlohmann::json::is_number_unsigned, "a seed").get<std::uint64_t>();
  if (!out.embeds()) {
    for (const auto& name : at("categories", &nlohmann::json::is_array, "a list of tasks")) {
      require<io_error>(name.is_string(), where, ": field 'categories' of the intuition holds ", io::brief(name),
                        "; it has to be a list of tasks");
      out.categories.push_back(name.get<std::string>());
    }
    out.width = at("columns", &nlohmann::json::is_number_unsigned, "a number").get<index_t>();
    require<io_error>(out.width >= 1, where, ": field 'columns' of the intuition is ", out.width);
    return out;
  }
  out.source = cluster::intuition_from_json(object, std::move(centroids), where);
  if (object.contains("template")) {
    out.wording.template_name = at("template", &nlohmann::json::is_string, "a name").get<std::string>();
    texts::find_template(out.wording.template_name);
  }
  if (object.contains("answer")) {
    const std::string answer = at("answer", &nlohmann::json::is_string, "'letter' or 'text'").get<std::string>();
    require<io_error>(answer == "letter" || answer == "text", where, ": field 'answer' of the intuition is '", answer,
                      "', not letter or text");
    out.wording.style = answer == "letter" ? data::answer_style::letter : data::answer_style::text;
  }
  return out;
}

MOR1E_INLINE void check_embedder(const cluster::intuition_source& source, models::sentence_embedder& embedder,
                                 std::string_view where) {
  require<value_error>(embedder.hash() == source.origin.embedder_hash, where,
                       ": the centroids were made with the embedder '", source.embedder, "' of hash ",
                       source.origin.embedder_hash, "; '", embedder.id(), "' has hash ", embedder.hash());
  require<value_error>(embedder.dimension() == source.centroids.extents().cols(), where, ": the centroids have ",
                       source.centroids.extents().cols(), " columns, the vectors of '", embedder.id(), "' ",
                       embedder.dimension());
}

MOR1E_INLINE std::vector<std::string> prompts_of(std::span<const data::example> examples,
                                                 const texts::prompt_options& wording) {
  std::vector<std::string> out;
  out.reserve(examples.size());
  for (const data::example& row : examples) out.push_back(texts::render_instance(row, wording));
  return out;
}

namespace detail {

inline std::vector<std::string> with_prefix(std::vector<std::string> texts, const std::string& prefix) {
  for (std::string& sentence : texts) sentence.insert(0, prefix);
  return texts;
}

}  // namespace detail

MOR1E_INLINE void check_prompts(const intuition_recipe& recipe, models::sentence_embedder& embedder,
                                std::span<const data::example> examples) {
  embedder.check(detail::with_prefix(prompts_of(examples, recipe.wording), recipe.source.origin.prefix));
}

MOR1E_INLINE tensor<float> embed_with_prefix(models::sentence_embedder& embedder, std::span<const std::string> texts,
                                             const std::string& prefix, const models::embedding_progress& progress) {
  if (prefix.empty()) return embedder.embed(texts, progress);
  return embedder.embed(detail::with_prefix({texts.begin(), texts.end()}, prefix), progress);
}

MOR1E_INLINE std::size_t category_of(std::span<const std::string> categories, std::string_view task) {
  const auto holds = [&](const std::string& names) {
    return ("," + names + ",").find(text(",", task, ",")) != std::string::npos;
  };
  return std::size_t(std::find_if(categories.begin(), categories.end(), holds) - categories.begin());
}

MOR1E_INLINE tensor<float> category_rows(const intuition_recipe& recipe, std::span<const data::example> examples) {
  std::vector<index_t> category;
  category.reserve(examples.size());
  for (const data::example& row : examples) {
    const std::size_t at = category_of(recipe.categories, row.task);
    require<value_error>(at < recipe.categories.size(), "intuition: example ", row.id, " is of task '", row.task,
                         "', which is in none of the ", recipe.categories.size(), " categories of the training");
    category.push_back(index_t(at));
  }
  return cluster::category_intuition(category, recipe.width);
}

MOR1E_INLINE tensor<float> random_rows(const intuition_recipe& recipe, std::span<const data::example> examples,
                                       view<const float> like) {
  std::vector<std::string> ids;
  ids.reserve(examples.size());
  for (const data::example& row : examples) ids.push_back(row.id);
  return cluster::random_intuition(ids, like, recipe.seed);
}

MOR1E_INLINE tensor<float> permuted_rows(view<const float> rows, std::uint64_t seed) {
  std::vector<index_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), index_t(0));
  rng(seed).shuffle(order);
  tensor<float> out(shape{rows.rows, rows.cols});
  for (index_t i = 0; i < rows.rows; ++i)
    std::copy_n(rows.row(order[std::size_t(i)]), rows.cols, out.data() + i * rows.cols);
  return out;
}

}  // namespace mor1e::train
