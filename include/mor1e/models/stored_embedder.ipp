// Definitions of models/stored_embedder.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/stored_embedder.hpp"

namespace mor1e::models {

namespace detail {

/// The beginning of a text, quoted and on one line.
inline std::string beginning_of(const std::string& sentence) {
  constexpr std::size_t most = 60;
  return nlohmann::json(sentence.substr(0, most)).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore) +
         (sentence.size() > most ? "..." : "");
}

}  // namespace detail

MOR1E_INLINE stored_embedder::stored_embedder(const std::filesystem::path& file) {
  const io::safetensors_file stored(file);
  const shape extents = stored.at("embeddings").extents;
  file_ = std::filesystem::canonical(file).string();
  const std::filesystem::path list = std::filesystem::path(file).replace_extension(".json");
  const std::vector<std::string> texts = io::read_strings(list);
  const auto stated = [&](const char* key) {
    const auto at = stored.metadata().find(key);
    return at == stored.metadata().end() ? std::string() : at->second;
  };
  require<io_error>(extents.rank() == 2 && extents[1] >= 1 && extents[0] == index_t(texts.size()) && !texts.empty(),
                    file.string(), ": tensor 'embeddings' has shape ", extents, " for the ", texts.size(), " texts of ",
                    list.string());
  require<io_error>(stated("data_hash").empty() || stated("data_hash") == io::sha256_of_file(list), list.string(),
                    ": is not the list that ", file.string(), " was made of: its metadata 'data_hash' is another");
  io::check_seal(stored, "embed the texts again");
  rows_ = stored.read<float>("embeddings");
  hash_ = stated("embedder_hash");
  if (hash_.empty())
    hash_ = text(stated("embedder").empty() ? file.stem().string() : stated("embedder"), " [", dimension(), "]");

  for (index_t i = 0; i < extents[0]; ++i) {
    float* row = rows_.data() + i * dimension();
    double squares = 0;
    for (index_t j = 0; j < dimension(); ++j) squares += double(row[j]) * double(row[j]);
    require<io_error>(squares > 0 && std::isfinite(squares), file.string(), ": tensor 'embeddings': row ", i, ", of ",
                      detail::beginning_of(texts[std::size_t(i)]), ", is ", squares == 0 ? "zero" : "not finite");
    const double length = std::sqrt(squares);
    if (std::abs(length - 1) > 1e-5)
      for (index_t j = 0; j < dimension(); ++j) row[j] = float(double(row[j]) / length);

    const auto [at, is_new] = row_of_.emplace(stated("prefix") + texts[std::size_t(i)], i);
    if (is_new) continue;
    const float* first = rows_.data() + at->second * dimension();
    double apart = 0;  // a service answers the same text with slightly other numbers
    for (index_t j = 0; j < dimension(); ++j) apart += std::pow(double(row[j]) - double(first[j]), 2);
    require<io_error>(std::sqrt(apart) <= 1e-3, file.string(), ": rows ", at->second, " and ", i,
                      " are of the same text, ", detail::beginning_of(texts[std::size_t(i)]), ", and ",
                      std::sqrt(apart), " apart");
  }
}

MOR1E_INLINE void stored_embedder::check(std::span<const std::string> sentences) {
  const auto missing = [&](const std::string& sentence) { return !row_of_.contains(sentence); };
  const auto first = std::find_if(sentences.begin(), sentences.end(), missing);
  require<value_error>(first == sentences.end(), file_, ": ", std::count_if(first, sentences.end(), missing), " of ",
                       sentences.size(), " texts have no embedding there, the first is ",
                       first == sentences.end() ? "" : detail::beginning_of(*first));
}

MOR1E_INLINE tensor<float> stored_embedder::embed(std::span<const std::string> sentences,
                                                  const embedding_progress& progress) {
  check(sentences);
  tensor<float> out(shape{index_t(sentences.size()), dimension()});
  for (std::size_t i = 0; i < sentences.size(); ++i)
    std::copy_n(rows_.data() + row_of_.at(sentences[i]) * dimension(), dimension(),
                out.data() + index_t(i) * dimension());
  if (progress) progress(sentences.size(), sentences.size());
  return out;
}

}  // namespace mor1e::models
