// The intuition of the rows a run trains on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/distributed/process_group.hpp"
#include "mor1e/train/intuition.hpp"

namespace mor1e::train {

/// How texts become an intuition.
struct clustering_options {
  intuition_kind kind = intuition_kind::clusters;  ///< or random
  index_t clusters = 32;
  index_t sample = 0;  ///< of each task, so many prompts are clustered, drawn by the seed; 0: all
  cluster::similarity similarity = cluster::similarity::cosine;
  texts::prompt_options wording = {};
  std::string prefix = {};  ///< put before every prompt
  std::uint64_t seed = 0;
};

/// The recipe by which others find the same intuition, and the rows it makes. Described first, so that a run can be
/// checked before the work is done, then computed.
struct training_intuition {
  intuition_recipe recipe = {};
  std::unique_ptr<models::sentence_embedder> embedder = {};  ///< none for kind category
  std::vector<std::string> prompts = {};
  std::vector<index_t> clustered = {};  ///< which of the prompts make the centroids; empty: all
  tensor<float> rows = {};              ///< [examples, columns], after `compute`

  /// What a resumed run has to agree in, besides its data.
  MOR1E_INLINE nlohmann::json settings() const;

  /// Clusters the embedded prompts of `examples` and makes their rows. `cache` keeps the embeddings and gives them back
  /// to a run over the same texts with the same embedder. Returns the inertia, 0 for kind category.
  template <class B>
  double compute(B& device, std::span<const data::example> examples, const std::filesystem::path& cache, bool quiet) {
    if (!recipe.embeds()) {
      rows = category_rows(recipe, examples);
      return 0;
    }
    const tensor<float> embeddings = embed(cache, quiet);
    const tensor<float> some = clustered.empty() ? tensor<float>() : gathered(embeddings);
    auto clustering = cluster::kmeans<float>(device, (clustered.empty() ? embeddings : some).matrix(),
                                             {.clusters = recipe.width, .seed = recipe.source.seed});
    recipe.source.centroids = std::move(clustering.centroids);
    rows = cluster::intuition<float>(device, embeddings.matrix(), std::as_const(recipe.source.centroids).matrix(),
                                     recipe.source.kind);
    if (recipe.kind == intuition_kind::random) rows = random_rows(recipe, examples, std::as_const(rows).matrix());
    return clustering.inertia;
  }

  /// What process 0 has computed becomes that of all.
  void broadcast(distributed::process_group& processes) {
    distributed::broadcast(processes, recipe.source.centroids);
    distributed::broadcast(processes, rows);
  }

 private:
  MOR1E_INLINE tensor<float> embed(const std::filesystem::path& cache, bool quiet);
  MOR1E_INLINE tensor<float> gathered(const tensor<float>& embeddings) const;
};

/// The categories of control category: each task for itself, or those of "a,b;c", by their tasks. Throws `value_error`
/// for a task of the training that is in none.
MOR1E_INLINE std::vector<std::string> categories_of(const std::vector<std::string>& tasks, const std::string& grouped);
/// Of kind category: nothing is embedded.
MOR1E_INLINE training_intuition category_intuition(std::vector<std::string> tasks, index_t columns,
                                                   const texts::prompt_options& wording);
/// Of kind clusters or random. Throws `value_error` for fewer prompts than clusters, and as `check_prompts`.
MOR1E_INLINE training_intuition embedded_intuition(std::unique_ptr<models::sentence_embedder> embedder,
                                                   std::span<const data::example> examples,
                                                   const clustering_options& options);

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/training_intuition.ipp"
#endif
