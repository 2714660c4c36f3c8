// The intuition that a run trains with.
#pragma once

#include <string>

#include "mor1e/train/run/experiment.hpp"
#include "mor1e/train/training_intuition.hpp"

namespace mor1e::train {

/// With all that needs no work yet; empty where the method reads none (`clusters` 0). Throws `value_error` for rows
/// that the embedder has no vectors of.
template <class B>
training_intuition describe_intuition(experiment<B>& e, const evaluation<B>& items, index_t clusters,
                                      const run_settings& how, std::uint64_t seed) {
  if (clusters == 0) return {};
  const std::string& kind = how.control.empty() ? how.intuition : how.control;
  const texts::prompt_options wording = e.settings.prompt();
  if (kind == "category") {
    training_intuition out = category_intuition(categories_of(e.set.task_names, how.categories), clusters, wording);
    items.check(out.recipe, nullptr);
    return out;
  }
  const std::string embedder = how.intuition != "random" ? how.intuition : default_embedder(e.settings);
  training_intuition out =
      embedded_intuition(models::load_sentence_embedder(e.device, embedder), e.set.rows,
                         {.kind = kind == "random" ? intuition_kind::random : intuition_kind::clusters,
                          .clusters = clusters,
                          .sample = how.cluster_sample,
                          .similarity = cluster::similarity_named(how.similarity),
                          .wording = wording,
                          .prefix = how.prefix,
                          .seed = seed});
  items.check(out.recipe, out.embedder.get());
  return out;
}

}  // namespace mor1e::train
