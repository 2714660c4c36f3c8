// Operands of formulas: values, and numbers beside them.
#pragma once

#include <concepts>
#include <type_traits>

#include "mor1e/ops/full.hpp"

namespace mor1e::ops {

template <class X>
concept Value = std::derived_from<X, on_values>;
template <class X>
concept Number = std::is_arithmetic_v<X>;
/// Two operands of a formula: values, or a value and a number.
template <class X, class Y>
concept ValueOperands = (Value<X> && (Value<Y> || Number<Y>)) || (Number<X> && Value<Y>);

/// The operand x of a formula with `other`: x itself, or a number as a value [1, 1] of the same tape. Throws a
/// value_error if x is on another tape.
template <class B, class T>
value<B, T> beside(const value<B, T>& other, const value<B, T>& x) {
  tape_of(other, x);
  return x;
}
template <class B, class T>
value<B, T> beside(const value<B, T>& other, double x) {
  return on(other.tape(), full<T>(other.tape(), 1, 1, x));
}
template <class B, class T, Value X>
value<B, T> beside(const value<B, T>& other, const X&) {
  static_assert(sizeof(X) == 0,
                "the values of a formula must be of one element type (float or double) and one kind of device");
  return other;
}

/// Op without attributes on two operands of a formula.
template <class Op, class X, class Y>
requires ValueOperands<X, Y>
auto applied(const X& x, const Y& y) {
  const auto apply = []<class B, class T>(tape<B>& t, var<T> a, var<T> b) {
    return on(t, t.template apply<Op, T>({}, {a, b}));
  };
  if constexpr (Value<X>)
    return apply(x.tape(), x.var(), beside(x, y).var());
  else
    return apply(y.tape(), beside(y, x).var(), y.var());
}

}  // namespace mor1e::ops
