// Feed-forward layers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/gated.hpp"
#include "mor1e/ops/gelu_erf.hpp"
#include "mor1e/ops/silu.hpp"

namespace mor1e::nn {

/// down(act(gate(x)) * up(x)); `Activation` is an elementwise op such as `ops::silu_op`.
template <class B, class T = float, class Activation = ops::silu_op>
struct gated_mlp {
  projection_group<B, T> gate_up, down;

  gated_mlp() = default;
  gated_mlp(projection_group<B, T> gate_up, projection_group<B, T> down)
      : gate_up(std::move(gate_up)), down(std::move(down)) {}
  /// Trained, x [T, width]: linears `name`.gate, .up and .down that start as nn::linear does.
  gated_mlp(B& device, const std::string& name, index_t width, index_t inner, std::uint64_t key, bool bias = true)
      : gate_up(device, name, width, {{"gate", inner}, {"up", inner}}, stream_key(key, 0), bias),
        down(device, name, inner, {{"down", width}}, stream_key(key, 1), bias) {}

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, ops::gated<Activation>(t, gate_up.forward(t, x, step)), step);
  }
  std::vector<param<B, T>*> parameters() const { return parameters_of(gate_up, down); }
  std::vector<projection_group<B, T>*> groups() { return {&gate_up, &down}; }
};

/// down(act(up(x)))
template <class B, class T = float, class Activation = ops::gelu_erf_op>
struct mlp {
  projection_group<B, T> up, down;

  mlp() = default;
  mlp(projection_group<B, T> up, projection_group<B, T> down) : up(std::move(up)), down(std::move(down)) {}
  /// Trained, x [T, width]: linears `name`.up and .down that start as nn::linear does.
  mlp(B& device, const std::string& name, index_t width, index_t inner, std::uint64_t key, bool bias = true)
      : up(device, name, width, {{"up", inner}}, stream_key(key, 0), bias),
        down(device, name, inner, {{"down", width}}, stream_key(key, 1), bias) {}

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, t.template apply<Activation, T>({}, {up.forward(t, x, step)}), step);
  }
  std::vector<param<B, T>*> parameters() const { return parameters_of(up, down); }
  std::vector<projection_group<B, T>*> groups() { return {&up, &down}; }
};

}  // namespace mor1e::nn
