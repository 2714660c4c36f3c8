// Sums along the middle of columns [outer, copies, inner].
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y(o, i) = sum_c x(o, c, i) in each row                    x [T, outer * copies * inner] -> y [T, outer * inner]
/// The adjoint of spread_columns, which is its backward.
struct fold_columns_op {
  static constexpr const char* label = "fold_columns";
  struct attributes {
    index_t copies = 1;
    index_t inner = 1;
  };

  static signature shape(const attributes& a, operands in) {
    const index_t block = a.copies * a.inner;
    check(a.copies >= 1 && a.inner >= 1 && in[0].cols % block == 0, label, "columns are no multiple of ", block, ": ",
          describe("x", in[0]), "; ", a.copies, " copies of ", a.inner);
    return {.outputs = {{in[0].rows, in[0].cols / block * a.inner}}, .cheap = true};
  }

  template <class B, class T>
  requires HasFold<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    fold_columns(c.device(), a.copies, a.inner, c.in(0), T(0), c.out());
  }

  template <class B, class T>
  requires HasFold<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    spread_columns(c.device(), a.copies, a.inner, c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {n, n * 4};
  }

  static std::vector<op_case<fold_columns_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "adjacent", .attributes = {5, 1}, .inputs = {{4, 15}}},
            {.name = "apart", .attributes = {3, 2}, .inputs = {{4, 12}}},
            {.name = "wide", .attributes = {2, 19}, .inputs = {{3, 114}}},
            {.name = "columns", .attributes = {3, 2}, .inputs = {{4, 13}}, .must_throw = true},
            {.name = "2048x3x32", .attributes = {4, 8}, .inputs = {{2048, 96}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> fold_columns(tape<B>& t, var<T> x, index_t copies, index_t inner) {
  return t.template apply<fold_columns_op, T>({copies, inner}, {x});
}

}  // namespace mor1e::ops
