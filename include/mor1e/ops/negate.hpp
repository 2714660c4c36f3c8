// The negative.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = -x
struct negate_op : elementwise<negate_op> {
  static constexpr const char* label = "negate";
  static constexpr std::uint64_t backward_reads = 0;

  template <class T>
  MOR1E_HD static T f(T x) {
    return -x;
  }
  template <class T>
  MOR1E_HD static T df(T, T) {
    return T(-1);
  }

  static std::vector<op_case<negate_op>> cases() { return cases_on(-4, 4); }
};

template <class B, class T>
var<T> negate(tape<B>& t, var<T> x) {
  return t.template apply<negate_op, T>({}, {x});
}

template <class B, class T>
value<B, T> negate(value<B, T> x) {
  return on(x.tape(), negate(x.tape(), x.var()));
}

template <class B, class T>
value<B, T> operator-(value<B, T> x) {
  return negate(x);
}

}  // namespace mor1e::ops
