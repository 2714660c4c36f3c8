// What a method costs on a backbone: trainable parameters and floating point operations, from numbers alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

/// Sums over the adapted linears. A product with p parameters costs 2 p operations a token.
struct method_cost {
  std::int64_t linears = 0;            ///< how many
  std::int64_t parameters = 0;         ///< all that is trained: products, routers, scalars
  std::int64_t router_parameters = 0;  ///< of these, the routers' matrices
  std::int64_t scalars = 0;            ///< of these, gates and biases: in no product
  /// Forward, one token: the products of the update, and apart from them those of the routers.
  std::int64_t flops() const { return 2 * (parameters - router_parameters - scalars); }
  std::int64_t router_flops() const { return 2 * router_parameters; }

  friend method_cost operator+(const method_cost& a, const method_cost& b) {
    return {a.linears + b.linears, a.parameters + b.parameters, a.router_parameters + b.router_parameters,
            a.scalars + b.scalars};
  }
};

/// The cost of `method` on one linear.
template <Method M>
method_cost cost_on(const M& method, std::int64_t inputs, std::int64_t outputs) {
  method_cost c{.linears = 1};
  c.router_parameters = method.router_rows() * inputs;
  for (const extra_parameter& e : method.extra())
    (e.rows ? c.router_parameters : c.scalars) += std::max(e.rows, 1) * e.width;
  if (LearnsMagnitudes<M>) c.scalars += outputs;
  c.parameters = down_rows(method) * inputs + method.slots() * outputs + c.router_parameters + c.scalars;
  return c;
}
inline method_cost cost_on(const adapter_spec& spec, std::int64_t inputs, std::int64_t outputs) {
  return std::visit([&](const auto& method) { return cost_on(method, inputs, outputs); }, spec.method);
}

/// The cost on a model of `blocks` equal blocks, each of these linears: what has name, inputs and outputs, such as
/// models::linear_shape. Only those that `attach` would adapt count.
template <class Linears>
method_cost cost_on(const adapter_spec& spec, const Linears& linears, std::int64_t blocks) {
  method_cost sum;
  for (const auto& l : linears) {
    if (!is_targeted(l.name, spec.targets)) continue;
    const method_cost one = cost_on(spec, l.inputs, l.outputs);
    sum = sum + method_cost{blocks, blocks * one.parameters, blocks * one.router_parameters, blocks * one.scalars};
  }
  return sum;
}

}  // namespace mor1e::peft
