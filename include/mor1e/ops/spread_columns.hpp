// Copies along the middle of columns [outer, copies, inner].
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y(o, c, i) = x(o, i) in each row                          x [T, outer * inner] -> y [T, outer * copies * inner]
/// The adjoint of fold_columns, which is its backward.
struct spread_columns_op {
  static constexpr const char* label = "spread_columns";
  struct attributes {
    index_t copies = 1;
    index_t inner = 1;
  };

  static signature shape(const attributes& a, operands in) {
    const index_t block = a.inner;
    check(a.copies >= 1 && a.inner >= 1 && in[0].cols % block == 0, label, "columns are no multiple of ", block, ": ",
          describe("x", in[0]), "; ", a.copies, " copies of ", a.inner);
    return {.outputs = {{in[0].rows, in[0].cols / block * (a.copies * a.inner)}}, .cheap = true};
  }

  template <class B, class T>
  requires HasFold<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    spread_columns(c.device(), a.copies, a.inner, c.in(0), T(0), c.out());
  }

  template <class B, class T>
  requires HasFold<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    fold_columns(c.device(), a.copies, a.inner, c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes& a, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols) * double(a.copies);
    return {n, n * 4};
  }

  static std::vector<op_case<spread_columns_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "adjacent", .attributes = {5, 1}, .inputs = {{4, 3}}},
            {.name = "apart", .attributes = {3, 2}, .inputs = {{4, 4}}},
            {.name = "wide", .attributes = {2, 19}, .inputs = {{3, 57}}},
            {.name = "columns", .attributes = {3, 2}, .inputs = {{4, 5}}, .must_throw = true},
            {.name = "2048x3x32", .attributes = {8, 1}, .inputs = {{2048, 12}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> spread_columns(tape<B>& t, var<T> x, index_t copies, index_t inner) {
  return t.template apply<spread_columns_op, T>({copies, inner}, {x});
}

}  // namespace mor1e::ops
