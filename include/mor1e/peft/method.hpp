// What a low-rank method is.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "mor1e/nn/projection_group.hpp"

namespace mor1e::peft {

/// A trained vector of a method beside its down and up projections: `width` values for each linear of the group, in one
/// row for all of them.
struct extra_parameter {
  const char* name;
  double learning_rate_scale = 1;
  int width = 1;
};

/// A method z_p = W_p x + scale U_p g_p, g = gates(V^T x, R x), on a group of linears p that read the same x.
/// It is a plain struct of hyperparameters with
///   slots()             rank of the update of one linear: columns of U_p, rows of V_p
///   router_rows()       rows of the router of one linear; 0: no router
///   scale()             the multiplier of the update
///   extra()             further parameters
///   gates(tape, x, linears, extra, step)   [T, linears * (slots + router rows)] -> [T, linears * slots]
/// `x` holds the products V^T x of all linears, then the logits R x of all linears; `extra` the extra parameters, in
/// the order of extra(), each [1, linears * width]. Optional:
///   bias(tape, extra)   [1, linears * (slots + router rows)], added to x; or empty
///   statistics(tape, x, linears, step)   of the routers, for logs; or empty
///   down_rows()         rows of V_p, and products of one linear, where they are not the slots
///   products_start(), router_start()     how V and R start; uniform and zero without
/// A method leaves its auxiliary losses in step.auxiliary_losses.
template <class M>
concept Method = requires(const M& m) {
  { m.slots() } -> std::convertible_to<int>;
  { m.router_rows() } -> std::convertible_to<int>;
  { m.scale() } -> std::convertible_to<double>;
  { m.extra() } -> std::convertible_to<std::vector<extra_parameter>>;
};

/// Rows of V of one linear: the products a method reads.
template <Method M>
int down_rows(const M& m) {
  if constexpr (requires { m.down_rows(); })
    return m.down_rows();
  else
    return m.slots();
}

}  // namespace mor1e::peft
