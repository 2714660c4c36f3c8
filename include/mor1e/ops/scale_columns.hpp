// Columns scaled to learned magnitudes.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = x_ij m_j / n_j (+ b_j); dx_ij = dy_ij m_j / n_j, dm_j = sum_i dy_ij x_ij / n_j, n a constant
///   x [T, k], m [1, k], n [1, k], b [1, k] -> y [T, k]
struct scale_columns_op {
  static constexpr const char* label = "scale_columns";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    const auto fits = [&](const operand& o) { return o.rows == 1 && o.cols == in[0].cols; };
    check(fits(in[1]) && fits(in[2]), label, "one number a column: ", describe("x", in[0]), ", ", describe("m", in[1]),
          ", ", describe("n", in[2]));
    check(in.size() == 3 || fits(in[3]), label, "one bias a column: ", describe("x", in[0]),
          in.size() > 3 ? ", " + describe("b", in[3]) : "");
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(0) | reads(1) | reads(2), .cheap = true};
  }

  template <class B, class T>
  requires HasScaleColumns<B, T> && HasBias<B, T>
  static void forward(call<B, T> c, const attributes&) {
    scale_columns(c.device(), c.in(1), c.in(2), c.in(0), T(0), c.out());
    if (c.inputs() == 4) add_bias(c.device(), c.in(3), c.out());
  }

  template <class B, class T>
  requires HasScaleColumns<B, T> && HasBias<B, T>
  static void backward(call<B, T> c, const attributes&) {
    if (const auto dx = c.grad_in(0)) scale_columns(c.device(), c.in(1), c.in(2), c.grad_out(), dx.beta(), dx.to);
    if (const auto dm = c.grad_in(1))
      scale_columns_gradient(c.device(), c.in(2), c.in(0), c.grad_out(), dm.beta(), dm.to);
    if (c.inputs() == 4)
      if (const auto db = c.grad_in(3)) column_sums(c.device(), c.grad_out(), db.beta(), db.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 5 : 2) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<scale_columns_op>> cases() {
    const auto norms = [](index_t k) { return case_input{1, k, 0.5, 2, false}; };
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}, norms(1)}},
            {.name = "rows", .inputs = {{5, 19}, {1, 19}, norms(19)}},
            {.name = "bias", .inputs = {{4, 3}, {1, 3}, norms(3), {1, 3}}},
            {.name = "tall", .inputs = {{200, 2}, {1, 2}, norms(2)}},
            {.name = "magnitudes", .inputs = {{4, 3}, {1, 2}, norms(3)}, .must_throw = true},
            {.name = "short_bias", .inputs = {{4, 3}, {1, 3}, norms(3), {1, 2}}, .must_throw = true},
            {.name = "2048x1536", .inputs = {{2048, 1536}, {1, 1536}, norms(1536)}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> scale_columns(tape<B>& t, var<T> x, var<T> m, var<T> n, var<T> b = {}) {
  return b ? t.template apply<scale_columns_op, T>({}, {x, m, n, b})
           : t.template apply<scale_columns_op, T>({}, {x, m, n});
}

}  // namespace mor1e::ops
