// What a sentence embedder is.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "mor1e/core/tensor.hpp"

namespace mor1e::models {

/// Called with the number of sentences done and of all.
using embedding_progress = std::function<void(std::size_t done, std::size_t all)>;

class sentence_embedder {
 public:
  virtual ~sentence_embedder() = default;

  /// One row a sentence, in their order (a zero row where there is nothing to embed); of unit length, unless an
  /// encoder's folder says that its vectors are not normalised.                                      [n, dimension()]
  virtual tensor<float> embed(std::span<const std::string> sentences, const embedding_progress& progress = {}) = 0;

  /// Throws `value_error` naming the sentences that it has no vector of: before work is done, not behind it.
  virtual void check(std::span<const std::string> sentences) { static_cast<void>(sentences); }

  virtual index_t dimension() const = 0;
  /// What it is opened by, from any folder: a short name or an absolute path.
  virtual std::string id() const = 0;
  /// Of the weights, or a name: what vectors of two runs must share to be comparable.
  virtual const std::string& hash() = 0;
};

}  // namespace mor1e::models
