// The intuition of examples: from a recipe that training stores with the adapter and evaluation finds there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/data/example.hpp"
#include "mor1e/models/sentence_embedder.hpp"
#include "mor1e/text/prompt.hpp"

namespace mor1e::train {

/// `clusters`: similarity of an example's prompt to the centroids of the training prompts.
/// Controls: `random`: a random direction of the length of these; `category`: the code of the example's task.
enum class intuition_kind { clusters, random, category };

/// "clusters", "random", "category"
MOR1E_INLINE std::string_view name_of(intuition_kind kind);

/// All that the intuition of a new example depends on, besides the example.
struct intuition_recipe {
  intuition_kind kind = intuition_kind::clusters;
  cluster::intuition_source source = {};     ///< of all kinds but category
  std::uint64_t seed = 0;                    ///< of kind random
  std::vector<std::string> categories = {};  ///< of kind category: the tasks "a,b" of each, in order
  index_t width = 0;                         ///< of kind category
  texts::prompt_options wording = {};        ///< of the prompt that is embedded; what is open is left to the example

  bool embeds() const { return kind != intuition_kind::category; }
  /// Numbers an example.
  index_t columns() const { return embeds() ? source.centroids.extents().rows() : width; }
};

/// What an adapter folder says (`peft::adapter_record::intuition`); the centroids are stored apart.
MOR1E_INLINE nlohmann::json to_json(const intuition_recipe& recipe);
/// The reverse, also of `cluster::to_json`; `centroids` is empty for kind category. Throws `io_error` beginning with
/// `where` and naming the field.
MOR1E_INLINE intuition_recipe recipe_from_json(const nlohmann::json& object, tensor<float> centroids,
                                               std::string_view where);

/// Throws `value_error` beginning with `where` and naming both hashes unless the embedder has the weights that the
/// centroids were made with.
MOR1E_INLINE void check_embedder(const cluster::intuition_source& source, models::sentence_embedder& embedder,
                                 std::string_view where);

/// What is embedded of each example: its prompt.
MOR1E_INLINE std::vector<std::string> prompts_of(std::span<const data::example> examples,
                                                 const texts::prompt_options& wording = {});

/// Throws `value_error` for examples whose prompts the embedder has no vectors of.
MOR1E_INLINE void check_prompts(const intuition_recipe& recipe, models::sentence_embedder& embedder,
                                std::span<const data::example> examples);

/// Embeddings [n, dimension] of `prefix` + text.
MOR1E_INLINE tensor<float> embed_with_prefix(models::sentence_embedder& embedder, std::span<const std::string> texts,
                                             const std::string& prefix,
                                             const models::embedding_progress& progress = {});

/// Similarity of `prefix` + text to each centroid [K, dimension] -> [n, K].
template <class B>
tensor<float> intuition_of(B& device, models::sentence_embedder& embedder, view<const float> centroids,
                           std::span<const std::string> texts, const std::string& prefix = {},
                           cluster::similarity kind = cluster::similarity::cosine,
                           const models::embedding_progress& progress = {}) {
  const tensor<float> embedded = embed_with_prefix(embedder, texts, prefix, progress);
  return cluster::intuition<float>(device, embedded.matrix(), centroids, kind);
}

/// The number of the category that holds the task; as many as there are if none does.
MOR1E_INLINE std::size_t category_of(std::span<const std::string> categories, std::string_view task);
/// The rows of a category recipe, [n, columns]. Throws `value_error` naming the task for one that was not trained on.
MOR1E_INLINE tensor<float> category_rows(const intuition_recipe& recipe, std::span<const data::example> examples);
/// Rows that point at random, as long as `like`, of a random recipe.
MOR1E_INLINE tensor<float> random_rows(const intuition_recipe& recipe, std::span<const data::example> examples,
                                       view<const float> like);

/// The intuition of examples as the recipe makes it, [n, columns]. `embedder` may be null for kind category.
template <class B>
tensor<float> intuition_rows(B& device, const intuition_recipe& recipe, models::sentence_embedder* embedder,
                             std::span<const data::example> examples, const models::embedding_progress& progress = {}) {
  if (!recipe.embeds()) return category_rows(recipe, examples);
  require<value_error>(embedder != nullptr, "intuition: an embedder is needed: '", recipe.source.embedder, "'");
  tensor<float> rows =
      intuition_of(device, *embedder, recipe.source.centroids.matrix(), prompts_of(examples, recipe.wording),
                   recipe.source.origin.prefix, recipe.source.kind, progress);
  return recipe.kind == intuition_kind::random ? random_rows(recipe, examples, rows.matrix()) : std::move(rows);
}

/// The same rows in another order, a function of their number and the seed: what a model loses by them is what it drew
/// from the intuition of the example itself.
MOR1E_INLINE tensor<float> permuted_rows(view<const float> rows, std::uint64_t seed);

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/intuition.ipp"
#endif
