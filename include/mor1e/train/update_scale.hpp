// The scale of a method's update at its start, measured: what comparisons of methods have to hold equal.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "mor1e/models/batch.hpp"
#include "mor1e/models/language_model.hpp"

namespace mor1e::train {

/// The root mean square, over live tokens, linears and slots, of what U's columns are multiplied by when every product
/// V^T x is a random sign: |s g_j| for the gates g at hand. LoRA's is alpha / rank. By it the methods differ before
/// they have learned anything: 0.5 for LoRA (32, 16), 0.125 for MoLoRA as released, 0.25 + I for MoR1E.
///
/// The model has its adapters on, and `intuition` [instances, clusters] holds a row for each instance of the batches.
template <class B, class T>
double update_scale(B& device, models::language_model<B, T>& model, std::span<const data::packed_batch> batches,
                    view<const T> intuition) {
  double sum = 0, count = 0;
  for (const data::packed_batch& batch : batches) {
    tape<B> t(device, recording::forward);
    auto step = models::place_batch<B, T>(t, batch);
    if (!intuition.empty()) step.batch.intuition = t.template input<T>(intuition);
    std::vector<nn::slot_multipliers<T>> multipliers;
    step.observers.multipliers = &multipliers;
    model.body(t, step);
    for (const auto& m : multipliers) {
      const tensor<T> gates = t.read(m.gates);
      for (index_t row = 0; row < gates.extents()[0]; ++row)
        if (batch.instances[std::size_t(row)] >= 0)
          for (index_t j = 0; j < m.gates.cols; ++j, ++count)
            sum += std::pow(m.scale * double(gates[row * m.gates.cols + j]), 2);
    }
  }
  require<value_error>(count > 0, "update_scale: no adapters on the model, or no live token");
  return std::sqrt(sum / count);
}

}  // namespace mor1e::train
