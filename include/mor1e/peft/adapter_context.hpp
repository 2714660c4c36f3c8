// What the method of one adapter knows of a pass.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/step_context.hpp"

namespace mor1e::peft {

/// One adapter's part of a pass: what its method and its router are given, and what they leave.
template <class B, class T>
struct adapter_context {
  nn::batch_inputs<T> batch;
  nn::pass_mode mode;
  std::span<const std::string> linears = {};  ///< module paths of the adapted linears
  std::uint64_t site = 0;                     ///< key of the adapter, for random numbers of its method
  bool observed = false;                      ///< somebody asks for `weights`

  std::vector<var<T>> weights = {};           ///< if asked for: those of the experts, [rows, experts] for each linear
  std::vector<var<T>> auxiliary_losses = {};  ///< [1, 1] each

  adapter_context() = default;
  explicit adapter_context(const nn::step_context<B, T>& step)
      : batch(step.batch), mode(step.mode), observed(step.observers.routers != nullptr) {}
};

}  // namespace mor1e::peft
