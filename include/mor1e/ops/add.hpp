// Sum of two matrices.
#pragma once

#include "mor1e/ops/affine.hpp"
#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a + b; da = db = dy. A row, a column or a number is repeated.          a, b -> y, shapes as in ops/zip.hpp
/// In a residual b is the new branch, which has no other reader: y may take its place.
/// Not cheap: recomputing one residual sum recomputes all below it, and needs every branch.
struct add_op : zip<add_op> {
  static constexpr const char* label = "add";
  static constexpr std::uint64_t backward_reads = 0;

  static signature shape(const attributes& none, operands in) {
    signature s = zip<add_op>::shape(none, in);
    s.cheap = false;
    if (has_size(in[1], s.outputs[0])) s.in_place = 1;
    for (int k = 0; k < 2; ++k)
      if (has_size(in[k], s.outputs[0])) s.passes_gradient |= reads(k);
    return s;
  }

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a + b;
  }
  template <class T>
  MOR1E_HD static T da(T, T, T) {
    return T(1);
  }
  template <class T>
  MOR1E_HD static T db(T, T, T) {
    return T(1);
  }
};

template <class B, class T>
var<T> add(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<add_op, T>({}, {a, b});
}

template <Value X, Value Y>
auto add(const X& a, const Y& b) {
  return applied<add_op>(a, b);
}
template <Value X, Value Y>
auto operator+(const X& a, const Y& b) {
  return add(a, b);
}
template <class B, class T>
value<B, T> operator+(value<B, T> a, double b) {
  return affine(a, 1, b);
}
template <class B, class T>
value<B, T> operator+(double a, value<B, T> b) {
  return affine(b, 1, a);
}

}  // namespace mor1e::ops
