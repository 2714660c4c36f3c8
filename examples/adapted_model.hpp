// A decoder, and the adapter that was trained on it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/intuition.hpp"

namespace mor1e::program {

template <class B>
struct adapted_model {
  std::unique_ptr<models::language_model<B, float>> model;
  std::optional<peft::loaded_adapter<B, float>> adapter;  // behind the model, on which it sits: gone before it is

  bool reads_intuition() const { return adapter && adapter->record.spec.method.needs().clusters > 0; }
};

/// The folder of the adapter: the one given, or `adapter` in the folder of a run.
inline std::string adapter_folder(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code none;
  const fs::path inside = fs::path(given) / "adapter";
  if (fs::exists(fs::path(given) / "adapter_config.json", none)) return given;
  if (fs::is_directory(inside, none)) return inside.string();
  require<io_error>(!fs::exists(fs::path(given) / "checkpoint", none), given,
                    ": a run that is not finished; finetune --resume ", given, " goes on with it");
  return given;
}

/// `adapter` empty: the base alone. Else the folder of an adapter or of a run. Throws `value_error` for an adapter that
/// was trained on other weights.
template <class B>
adapted_model<B> load_adapted(B& device, const std::string& model, const std::string& adapter) {
  adapted_model<B> out{models::load<B, float>(device, model), std::nullopt};
  if (adapter.empty()) return out;
  out.adapter.emplace(peft::load_adapter(*out.model, adapter_folder(adapter)));
  const std::string& trained_on = out.adapter->record.base_sha256;
  if (trained_on.empty()) return out;
  const std::string found = models::weights_hash(model);
  require<value_error>(found == trained_on, adapter, ": trained on weights with hash ", trained_on, ", ", model,
                       " has ", found);
  return out;
}

/// The intuition of one text, [1, clusters], as the adapter was trained with it. Throws `io_error` for an adapter that
/// does not say how, `value_error` for an embedder that is not the one it was trained with.
template <class B>
tensor<float> intuition_of(B& device, const peft::adapter_record& record, const std::string& where,
                           const std::string& text) {
  const auto recipe = train::recipe_from_json(record.intuition, record.centroids.clone(), where);
  require<value_error>(recipe.kind == train::intuition_kind::clusters, where, ": its intuition is of kind ",
                       train::name_of(recipe.kind), ": rows of a task have one, a text alone has none");
  const cluster::intuition_source& source = recipe.source;
  const auto embedder = models::load_sentence_embedder(device, source.embedder);
  require<value_error>(embedder->hash() == source.origin.embedder_hash, where, ": trained with an embedder with hash ",
                       source.origin.embedder_hash, ", ", source.embedder, " has ", embedder->hash());
  const std::string prefixed = source.origin.prefix + text;
  const tensor<float> embedding = embedder->embed({&prefixed, 1});
  return cluster::intuition<float>(device, embedding, source.centroids, source.kind);
}

}  // namespace mor1e::program
