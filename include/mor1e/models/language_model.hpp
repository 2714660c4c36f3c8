// What programs ask of a decoder, whatever its architecture.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/cross_entropy.hpp"

namespace mor1e::models {

/// A decoder with a language-model head.
template <class B, class T>
class language_model {
 public:
  virtual ~language_model() = default;

  /// tokens -> output of the last block, before the final norm                       [rows, hidden]
  virtual var<T> body(tape<B>& t, nn::step_context<B, T>& step) = 0;
  /// The final norm.
  virtual var<T> final_norm(tape<B>& t, var<T> x) = 0;
  /// Logits of normed rows: [n, hidden] -> [n, vocabulary]
  virtual var<T> logits(tape<B>& t, var<T> rows) = 0;
  /// step.batch.loss_scale * sum over the answer rows of the negative log-likelihood of their targets [1, 1], and that
  /// of each answer row [answers, 1].
  virtual ops::loss_and_nll<T> loss(tape<B>& t, nn::step_context<B, T>& step) = 0;

  /// Every projection group, in the order of execution.
  virtual std::vector<nn::projection_group<B, T>*> groups() = 0;
  /// Parameters of the base (empty when it is frozen).
  virtual std::vector<param<B, T>*> parameters() = 0;
  virtual nn::kv_cache<B, T> make_cache(index_t capacity) const = 0;

  virtual int hidden_size() const = 0;
  virtual int layers() const = 0;
  virtual int vocabulary() const = 0;
  /// Longest sequence.
  virtual int context() const = 0;
  virtual std::string architecture() const = 0;
};

}  // namespace mor1e::models
