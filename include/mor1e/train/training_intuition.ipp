// Definitions of train/training_intuition.hpp.
#pragma once

#include <cstddef>

#include "mor1e/core/error.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/training_intuition.hpp"

namespace mor1e::train {

MOR1E_INLINE nlohmann::json training_intuition::settings() const {
  const cluster::embedding_origin& origin = recipe.source.origin;
  return {{"kind", name_of(recipe.kind)},
          {"embedder", origin.embedder_hash},
          {"prefix", origin.prefix},
          {"clusters", recipe.width}};
}

MOR1E_INLINE tensor<float> training_intuition::embed(const std::filesystem::path& cache, bool quiet) {
  const cluster::embedding_origin& origin = recipe.source.origin;
  try {
    if (std::filesystem::exists(cache)) return cluster::read_embeddings(cache, origin);
  } catch (const error&) {  // of other texts or another embedder, or damaged: made again
  }
  train::progress progress("embedding", std::int64_t(prompts.size()), quiet);
  tensor<float> embeddings = embed_with_prefix(
      *embedder, prompts, origin.prefix, [&](std::size_t done, std::size_t) { progress.show(std::int64_t(done)); });
  cluster::write_embeddings(cache, origin, embeddings);
  return embeddings;
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

MOR1E_INLINE training_intuition embedded_intuition(std::unique_ptr<models::sentence_embedder> embedder,
                                                   std::span<const data::example> examples, intuition_kind kind,
                                                   index_t clusters, const texts::prompt_options& wording,
                                                   const std::string& prefix, std::uint64_t seed) {
  require<value_error>(clusters <= index_t(examples.size()), "intuition: ", clusters, " clusters of ", examples.size(),
                       " examples");
  training_intuition out;
  out.recipe.kind = kind;
  out.recipe.width = clusters;
  out.recipe.wording = wording;
  if (kind == intuition_kind::random) out.recipe.seed = seed;
  out.prompts = prompts_of(examples, wording);
  std::string all;
  for (const std::string& prompt : out.prompts) all += prompt + '\0';
  out.recipe.source.embedder = embedder->id();
  out.recipe.source.origin = {embedder->hash(), prefix,
                              io::sha256_of(std::as_bytes(std::span(all.data(), all.size())))};
  out.recipe.source.seed = seed;
  check_prompts(out.recipe, *embedder, examples);
  out.embedder = std::move(embedder);
  return out;
}

}  // namespace mor1e::train
