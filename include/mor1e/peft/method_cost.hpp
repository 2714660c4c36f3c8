// What a method costs on one linear, from numbers alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/peft/method.hpp"

namespace mor1e::peft {

/// Sums over the adapted linears. A product with p parameters costs 2 p operations a token.
struct method_cost {
  std::int64_t linears = 0;            ///< how many
  std::int64_t parameters = 0;         ///< all that is trained: products, routers, scalars
  std::int64_t router_parameters = 0;  ///< of these, the routers' matrices
  std::int64_t scalars = 0;            ///< of these, gates and biases: in no product
  std::int64_t frozen = 0;             ///< in the products of the update, and not trained
  /// Forward, one token: the products of the update, and apart from them those of the routers.
  std::int64_t flops() const { return 2 * (parameters + frozen - router_parameters - scalars); }
  std::int64_t router_flops() const { return 2 * router_parameters; }

  friend method_cost operator+(const method_cost& a, const method_cost& b) {
    return {.linears = a.linears + b.linears,
            .parameters = a.parameters + b.parameters,
            .router_parameters = a.router_parameters + b.router_parameters,
            .scalars = a.scalars + b.scalars,
            .frozen = a.frozen + b.frozen};
  }
  /// On so many linears alike.
  friend method_cost operator*(std::int64_t count, const method_cost& one) {
    return {.linears = count * one.linears,
            .parameters = count * one.parameters,
            .router_parameters = count * one.router_parameters,
            .scalars = count * one.scalars,
            .frozen = count * one.frozen};
  }
};

/// The cost of `method` on one linear.
template <Method M>
method_cost cost_on(const M& method, std::int64_t inputs, std::int64_t outputs) {
  using traits = method_traits<M>;
  method_cost c{.linears = 1};
  c.router_parameters = method.router_rows() * inputs;
  const auto product = [&](std::int64_t parameters, bool trained) {
    (trained ? c.parameters : c.frozen) += parameters;
  };
  for (const own_parameter& e : method.own_parameters()) {
    const std::int64_t values = std::int64_t(std::max(e.rows, 1)) * e.width;
    if (e.in_update)
      product(values, true);
    else
      (e.rows ? c.router_parameters : c.scalars) += values;
  }
  if (traits::learns_magnitudes) c.scalars += outputs;
  if (traits::scales_up) c.scalars += outputs;
  product(down_rows(method) * inputs, traits::trains_down);
  product(method.update_rank() * outputs, traits::trains_up);
  c.parameters += c.router_parameters + c.scalars;
  return c;
}

}  // namespace mor1e::peft
