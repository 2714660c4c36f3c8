// The optional members of a method: one whose name is there in a form that nobody would call stops the compilation.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mor1e/peft/method.hpp"

namespace mor1e::peft {

// Name, type, how it is used, and how it is written.
#define MOR1E_METHOD_MEMBERS(X)                                                                                      \
  X(down_rows, int, m.down_rows(), "int down_rows() const")                                                          \
  X(down_start, start, m.down_start(), "peft::start down_start() const")                                             \
  X(router_start, start, m.router_start(), "peft::start router_start() const")                                       \
  X(up_start, start, m.up_start(), "peft::start up_start() const")                                                   \
  X(trains_down, bool, std::bool_constant<M::trains_down>(), "static constexpr bool trains_down")                    \
  X(trains_up, bool, std::bool_constant<M::trains_up>(), "static constexpr bool trains_up")                          \
  X(shares_draws, bool, std::bool_constant<M::shares_draws>(), "static constexpr bool shares_draws")                 \
  X(learns_magnitudes, bool, std::bool_constant<M::learns_magnitudes>(), "static constexpr bool learns_magnitudes")  \
  X(up_scale, own_parameter, m.up_scale(), "peft::own_parameter up_scale() const")                                   \
  X(bias, var<T>, m.bias(t, own), "var<T> bias(tape<B>&, std::span<const var<T>> own) const")                        \
  X(input_dropout, double, m.input_dropout(), "double input_dropout() const")                                        \
  X(prepare, var<T>, m.prepare(t, x, 1, own, step),                                                                  \
    "var<T> prepare(tape<B>&, var<T> x, int linears, std::span<const var<T>> own, peft::adapter_context<B, T>&) "    \
    "const")                                                                                                         \
  X(check, void, m.check(index_t()), "void check(index_t inputs) const")                                             \
  X(needs, method_needs, m.needs(), "peft::method_needs needs() const")                                              \
  X(expert_terms, std::vector<expert_term>, m.expert_terms(), "std::vector<peft::expert_term> expert_terms() const") \
  X(routes, bool, m.routes(), "bool routes() const")                                                                 \
  X(without_router, M, m.without_router(), "M without_router() const")

namespace detail {

struct empty_method {};

// A name that two bases have is ambiguous: so a member is seen whatever its type, an overload or a template too.
#define MOR1E_NAMED(NAME, ...)                                                                     \
  struct decoy_##NAME {                                                                            \
    int NAME;                                                                                      \
  };                                                                                               \
  template <class M>                                                                               \
  struct beside_##NAME : std::conditional_t<std::is_final_v<M>, empty_method, M>, decoy_##NAME {}; \
  template <class M>                                                                               \
  concept Names_##NAME = !requires {                                                               \
    &beside_##NAME<M>::NAME;                                                                       \
  };
MOR1E_METHOD_MEMBERS(MOR1E_NAMED)
#undef MOR1E_NAMED

}  // namespace detail

/// Fails to compile where `M` names an optional member that `method_traits` would not find: not const, not static, of
/// another type. `M` is a class that is not final.
template <class M, class B, class T>
consteval bool check_method_members() {
  static_assert(!std::is_final_v<M>, "a method is a struct that is not final");
#define MOR1E_USABLE(NAME, TYPE, CALL, FORM)                                                                     \
  static_assert(                                                                                                 \
      !detail::Names_##NAME<M> ||                                                                                \
          requires(const M& m, tape<B>& t, var<T> x, std::span<const var<T>> own, adapter_context<B, T>& step) { \
            { CALL } -> std::convertible_to<TYPE>;                                                               \
          },                                                                                                     \
      "`" #NAME "` of a method is never used unless it is `" FORM "`");
  MOR1E_METHOD_MEMBERS(MOR1E_USABLE)
#undef MOR1E_USABLE
  return true;
}
#undef MOR1E_METHOD_MEMBERS

}  // namespace mor1e::peft
