// Base of the largest and the smallest element.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/ops/over.hpp"

namespace mor1e::ops {

/// y = the largest of sign x, times sign, over all elements, over the rows or over the columns; dx is dy at the first
/// such element and 0 elsewhere. NaN if one is NaN. The backward reads x and y.       x [T, n] -> y [1, 1], [1, n] or
/// [T, 1] The op gives
///   static constexpr const char* label;
///   static constexpr int sign;    // 1 or -1
template <class Op>
struct extreme {
  struct attributes {
    ops::over over = ops::over::all;
  };

  static signature shape(const attributes& a, operands in) {
    const slot_size y = reduced_shape(a.over, in[0]);
    check_not_empty(Op::label, a.over, in[0]);
    return {.outputs = {y}, .backward_reads = reads(0) | reads(1), .cheap = a.over == over::columns};
  }

  template <class B, class T>
  requires HasLargest<B, T>
  static void forward(call<B, T> c, const attributes&) { largest(c.device(), T(Op::sign), c.in(0), c.out()); }

  template <class B, class T>
  requires HasLargest<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    largest_backward(c.device(), c.in(0), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {2 * n, (backward ? 3 : 1) * n * 4};
  }

  static std::vector<op_case<Op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "all", .inputs = {{5, 19}}},
            {.name = "all_tall", .inputs = {{200, 1}}},
            {.name = "rows", .attributes = {over::rows}, .inputs = {{5, 19}}},
            {.name = "rows_tall", .attributes = {over::rows}, .inputs = {{70, 2}}},
            {.name = "rows_of_one", .attributes = {over::rows}, .inputs = {{1, 19}}},
            {.name = "columns", .attributes = {over::columns}, .inputs = {{5, 3}}},
            {.name = "columns_of_one_row", .attributes = {over::columns}, .inputs = {{1, 19}}},
            {.name = "columns_of_one", .attributes = {over::columns}, .inputs = {{6, 1}}},
            {.name = "square", .attributes = {over::rows}, .inputs = {{4, 4}}},
            {.name = "no_columns", .attributes = {over::rows}, .inputs = {{3, 0}}},
            {.name = "nothing", .inputs = {{0, 3}}, .must_throw = true},
            {.name = "empty_rows", .attributes = {over::columns}, .inputs = {{3, 0}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}}, .benchmark = true},
            {.name = "2048x576_rows", .attributes = {over::rows}, .inputs = {{2048, 576}}, .benchmark = true},
            {.name = "2048x576_columns", .attributes = {over::columns}, .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

}  // namespace mor1e::ops
