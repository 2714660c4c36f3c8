// What embedders ask of an encoder, whatever its architecture.
#pragma once

#include <cstdint>
#include <vector>

#include "mor1e/data/packing.hpp"
#include "mor1e/models/sentence_modules.hpp"
#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/normalise_rows.hpp"
#include "mor1e/ops/segment_mean.hpp"

namespace mor1e::models {

struct encoder_sizes {
  int hidden_size = 0;
  int vocabulary = 0;
  int context = 0;  ///< longest sequence
};

/// A frozen encoder: it embeds text, nothing trains it.
template <class B, class T>
class encoder {
 public:
  encoder(const sentence_modules& modules, const encoder_sizes& sizes) : modules_(modules), sizes_(sizes) {}
  virtual ~encoder() = default;

  /// Last hidden states of the packed rows.                                                        [rows, hidden]
  virtual var<T> forward(tape<B>& t, nn::step_context<B, T>& step) const = 0;
  /// Mean over the tokens of each sequence.                                                   [sequences, hidden]
  var<T> mean(tape<B>& t, var<T> hidden, nn::step_context<B, T>& step) const {
    return ops::segment_mean(t, hidden, step.batch.segments);
  }
  /// The vector of each sequence, as the modules of its folder make it from the last hidden states.
  var<T> embedding(tape<B>& t, var<T> hidden, nn::step_context<B, T>& step, const data::packed_batch& batch) const {
    const auto first_tokens = [&] {
      std::vector<std::int32_t> rows;
      for (const segment& s : batch.segments) rows.push_back(s.begin);
      return ops::gather_rows(t, hidden, t.input(view<const std::int32_t>(rows.data(), index_t(rows.size()), 1)));
    };
    const var<T> pooled = modules_.pooling == sentence_pooling::mean ? mean(t, hidden, step) : first_tokens();
    return modules_.normalise ? ops::normalise_rows(t, pooled) : pooled;
  }

  int hidden_size() const { return sizes_.hidden_size; }
  int vocabulary() const { return sizes_.vocabulary; }
  int context() const { return sizes_.context; }
  const sentence_modules& modules() const { return modules_; }

 private:
  sentence_modules modules_;
  encoder_sizes sizes_;
};

}  // namespace mor1e::models
