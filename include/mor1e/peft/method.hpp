// What a low-rank method is.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "mor1e/nn/projection_group.hpp"

namespace mor1e::peft {

/// What a method trains beside its down and up projections: for each linear of the group a vector of `width` values,
/// all of them in one row; or a matrix [rows, width], one below the other.
struct extra_parameter {
  const char* name;
  double learning_rate_scale = 1;
  int width = 1;
  int rows = 0;         ///< 0: a vector
  bool random = false;  ///< starts uniform in +-1/sqrt(width) instead of zero
};

/// A part u_slot v_product^T of what an expert adds to a linear, u a column of U and v a row of V.
struct expert_term {
  int expert, slot, product;
};

/// A method z_p = W_p x + scale U_p g_p, g = gates(V^T x, R x), on a group of linears p that read the same x.
/// It is a plain struct of hyperparameters with
///   slots()             rank of the update of one linear: columns of U_p, and rows of V_p
///   router_rows()       rows of the router of one linear; 0: no router
///   scale()             the multiplier of the update
///   extra()             further parameters
///   gates(tape, x, linears, extra, step)   [T, linears * (slots + router rows)] -> [T, linears * slots]
/// `x` holds the products V^T x of all linears, then the logits R x of all linears; `extra` the extra parameters, in
/// the order of extra(), each [1, linears * width] or [linears * rows, width]. Optional:
///   bias(tape, extra)   [1, linears * (slots + router rows)], added to x; or empty
///   down_rows()         rows of V_p, if they are not as many as slots()
///   dropout             rate at which the input of V is dropped in training; R reads all of it
///   admit(inputs)       throws `value_error` for what must not be built on linears with so many inputs together
///   complete(tape, x, linears, extra, step)   x with the logits as gates reads them
///   learns_magnitudes   true: y = b + (m / n) (z - b), see row_magnitudes
///   terms()             of a mixture: which products of a slot and a row of V_p each expert has
///   products_start(), router_start()     how V and R start; uniform and zero without
/// A method leaves its auxiliary losses in step.auxiliary_losses and, if step.weights collects them, the weights of its
/// experts, one [T, experts] a linear.
template <class M>
concept Method = requires(const M& m) {
  { m.slots() } -> std::convertible_to<int>;
  { m.router_rows() } -> std::convertible_to<int>;
  { m.scale() } -> std::convertible_to<double>;
  { m.extra() } -> std::convertible_to<std::vector<extra_parameter>>;
};

template <class M>
concept LearnsMagnitudes = requires {
  requires M::learns_magnitudes;
};

/// Rows of V_p: products V^T x of one linear.
template <Method M>
int down_rows(const M& method) {
  if constexpr (requires { method.down_rows(); })
    return method.down_rows();
  else
    return method.slots();
}

}  // namespace mor1e::peft
