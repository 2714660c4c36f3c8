// What has parameters, and their list.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/weight.hpp"

namespace mor1e::nn {

/// Anything with trained parameters: `parameters()` lists them, each under a name of its own.
template <class M>
concept Module = requires(M& m) {
  {*m.parameters().front()};
};

/// The parameters of several modules, in order: what optimisers take.
template <Module First, Module... Rest>
auto parameters_of(First& first, Rest&... rest) {
  auto all = first.parameters();
  const auto append = [&](const auto& more) { all.insert(all.end(), more.begin(), more.end()); };
  (append(rest.parameters()), ...);
  return all;
}

/// Before the next sweep: gradients add up until they are cleared.
template <class B, class T>
void clear_gradients(const std::vector<param<B, T>*>& parameters) {
  for (auto* p : parameters) p->clear_gradient();
}

/// A trained matrix [outputs, inputs] for the layers that also hold frozen ones.
template <class B, class T>
weight<B, T> trained(B& device, std::string name, const tensor<T>& values) {
  return weight<B, T>(std::make_unique<param<B, T>>(device, std::move(name), values));
}
/// The same of a vector [1, n].
template <class B, class T>
vector_weight<B, T> trained_vector(B& device, std::string name, const tensor<T>& values) {
  return {std::make_unique<param<B, T>>(device, std::move(name), values), true};
}

}  // namespace mor1e::nn
