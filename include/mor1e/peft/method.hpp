// What a low-rank method is.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mor1e/core/error.hpp"
#include "mor1e/nn/projection_group.hpp"
#include "mor1e/peft/adapter_context.hpp"
#include "mor1e/peft/initial_values.hpp"

namespace mor1e::peft {

/// A parameter of a method beside its down and up projections: for each linear of the group a vector of `width` values,
/// all of them in one row; or a matrix [rows, width], one below the other.
struct own_parameter {
  const char* name;
  double learning_rate_scale = 1;
  int width = 1;
  int rows = 0;                ///< 0: a vector
  bool random = false;         ///< starts uniform in +-1/sqrt(width) instead of at `value`
  double value = 0;            ///< where it starts
  bool in_update = false;      ///< a matrix of the update and not of its router: for the count of operations
  const char* gate = nullptr;  ///< logits v of gates sigmoid(gate_sharpness v): what reports call these, "a"
  double gate_sharpness = 1;
};

/// A part u_slot v_product^T of what an expert adds to a linear, u a column of U and v a row of V.
struct expert_term {
  int expert, slot, product;
};

/// What the steps of a method need besides tokens.
struct method_needs {
  index_t clusters = 0;  ///< columns of the intuition that it reads; 0: none
  bool draws = false;    ///< random numbers: `program_options::dropout`
  bool types = false;    ///< the type of each task: `program_options::types`
};

/// A method z_p = W_p x + scale U_p g_p, g = gates(V^T x, R x), on a group of linears p that read the same x.
/// It is a plain struct of hyperparameters with
///   update_rank()       rank of the update of one linear: columns of U_p, and rows of V_p
///   router_rows()       rows of the router of one linear; 0: no router
///   scale()             the multiplier of the update
///   own_parameters()    further parameters
///   gates(tape, x, linears, own, step)   [T, linears * (rank + router rows)] -> [T, linears * rank]
/// `x` holds the products V^T x of all linears, then the logits R x of all linears; `own` the own parameters, in their
/// order, each [1, linears * width] or [linears * rows, width]. A method leaves its auxiliary losses in
/// step.auxiliary_losses and, if step.observed, the weights of its experts in step.weights, one [T, experts] a linear.
///
/// Optional, and what holds without (`method_traits`):
///   down_rows()         rows of V_p, if they are not as many as the rank
///   down_start(), router_start(), up_start()   how V, R and U start: uniform, zero, zero
///   trains_down, trains_up   static, false: V or U keeps its start. It is drawn from the adapter's seed and not stored
///   shares_draws        static, true: V and U start alike in all linears of a size
///   up_scale()          an own parameter [out] b of each linear: the update is scale diag(b) U_p g_p
///   bias(tape, own)     [1, linears * (rank + router rows)], added to x; or empty
///   input_dropout()     rate at which the input of V is dropped in training; R reads all of it
///   prepare(tape, x, linears, own, step)   x with the logits as gates reads them
///   check(inputs)       throws `value_error` for what must not be built on linears with so many inputs together
///   needs()             what a step must bring
///   learns_magnitudes   static, true: y = b + (m / n) (z - b), see row_magnitudes
///   expert_terms()      of a mixture: which products of a column of U and a row of V each expert has
///   routes(), without_router()   whether the gates depend on the token, beyond router_rows() > 0; the method without
/// What programs and files add is in peft/any_method.hpp.
template <class M>
struct method_traits {
  static constexpr bool learns_magnitudes = requires { requires M::learns_magnitudes; };
  static constexpr bool trains_down = !requires { requires !M::trains_down; };
  static constexpr bool trains_up = !requires { requires !M::trains_up; };
  static constexpr bool shares_draws = requires { requires M::shares_draws; };
  static constexpr bool scales_up = requires(const M& m) { m.up_scale(); };
  static constexpr bool has_experts = requires(const M& m) { m.expert_terms(); };

  static int down_rows(const M& m) {
    if constexpr (requires { m.down_rows(); })
      return m.down_rows();
    else
      return m.update_rank();
  }
  static start down_start(const M& m) {
    if constexpr (requires { m.down_start(); })
      return m.down_start();
    else
      return start::uniform;
  }
  static start router_start(const M& m) {
    if constexpr (requires { m.router_start(); })
      return m.router_start();
    else
      return start::zero;
  }
  static start up_start(const M& m) {
    if constexpr (requires { m.up_start(); })
      return m.up_start();
    else
      return start::zero;
  }
  static double input_dropout(const M& m) {
    if constexpr (requires { m.input_dropout(); })
      return m.input_dropout();
    else
      return 0;
  }
  static method_needs needs(const M& m) {
    if constexpr (requires { m.needs(); })
      return m.needs();
    else
      return {.draws = input_dropout(m) > 0};
  }
  static void check(const M& m, index_t inputs) {
    if constexpr (requires { m.check(inputs); }) m.check(inputs);
  }
  static bool routes(const M& m) {
    if constexpr (requires { m.routes(); })
      return m.routes();
    else
      return m.router_rows() > 0;
  }
  static M without_router(const M& m) {
    if constexpr (requires { m.without_router(); })
      return m.without_router();
    else
      return m;
  }
};

// The members that a method must have, one by one, so that a compiler names the one that is wrong.
template <class M>
concept HasUpdateRank = requires(const M& m) {
  { m.update_rank() } -> std::convertible_to<int>;
};
template <class M>
concept HasRouterRows = requires(const M& m) {
  { m.router_rows() } -> std::convertible_to<int>;
};
template <class M>
concept HasScale = requires(const M& m) {
  { m.scale() } -> std::convertible_to<double>;
};
template <class M>
concept HasOwnParameters = requires(const M& m) {
  { m.own_parameters() } -> std::convertible_to<std::vector<own_parameter>>;
};
template <class M, class B, class T>
concept HasGates = requires(const M& m, tape<B>& t, var<T> x, std::span<const var<T>> own,
                            adapter_context<B, T>& step) {
  { m.gates(t, x, 1, own, step) } -> std::same_as<var<T>>;
};

/// All of them but gates, which depends on the back end.
template <class M>
concept Method = HasUpdateRank<M> && HasRouterRows<M> && HasScale<M> && HasOwnParameters<M>;

/// Rows of V_p: products V^T x of one linear.
template <Method M>
int down_rows(const M& method) {
  return method_traits<M>::down_rows(method);
}

}  // namespace mor1e::peft
