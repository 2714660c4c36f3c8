// Definitions of models/sentence_embedder.hpp.
#pragma once

#include <cmath>

#include "mor1e/core/rng.hpp"
#include "mor1e/models/sentence_embedder.hpp"

namespace mor1e::models {

MOR1E_INLINE tensor<float> trigram_embedder::embed(std::span<const std::string> sentences,
                                                   const embedding_progress& progress) {
  tensor<float> out(shape{index_t(sentences.size()), dimension()}, 0.0f);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    float* row = out.data() + index_t(i) * dimension();
    // Ends count as characters of their own, so that a single letter has a trigram too.
    const std::string padded = '\x02' + sentences[i] + '\x03';
    for (std::size_t at = 0; at + 3 <= padded.size(); ++at) {
      std::uint64_t key = 0;
      for (std::size_t k = at; k < at + 3; ++k) key = key << 8 | static_cast<unsigned char>(padded[k]);
      const std::uint64_t bits = stream_key(key, 0);
      row[bits % 64] += bits >> 63 ? 1.0f : -1.0f;
    }
    float squares = 0;
    for (index_t j = 0; j < dimension(); ++j) squares += row[j] * row[j];
    for (index_t j = 0; squares > 0 && j < dimension(); ++j) row[j] /= std::sqrt(squares);
  }
  if (progress) progress(sentences.size(), sentences.size());
  return out;
}

}  // namespace mor1e::models
