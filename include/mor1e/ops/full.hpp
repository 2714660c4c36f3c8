// A matrix of one number.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = number, written when the tape or plan runs                                              -> y [rows, cols]
struct full_op {
  static constexpr const char* label = "full";
  static constexpr const char* no_gradient = "a constant";
  struct attributes {
    index_t rows = 1;
    index_t cols = 1;
    double number = 0;
  };

  static signature shape(const attributes& a, operands in) {
    check(in.empty(), label, "no operands, not ", in.size());
    check(a.rows >= 0 && a.cols >= 0, label, "no matrix: [", a.rows, ", ", a.cols, "]");
    return {.outputs = {{a.rows, a.cols}}, .cheap = true};
  }

  template <class B, class T>
  requires HasFill<B, T>
  static void forward(call<B, T> c, const attributes& a) { fill(c.device(), T(a.number), c.out()); }

  static cost work(const attributes& a, operands, bool) { return {0, double(a.rows * a.cols) * 4}; }

  static std::vector<op_case<full_op>> cases() {
    return {{.name = "one", .attributes = {1, 1, 0.5}, .inputs = {}},
            {.name = "rows", .attributes = {5, 19, -3}, .inputs = {}},
            {.name = "no_rows", .attributes = {0, 3, 1}, .inputs = {}},
            {.name = "negative", .attributes = {-1, 3, 1}, .inputs = {}, .must_throw = true},
            {.name = "an_operand", .attributes = {1, 1, 0}, .inputs = {{1, 1}}, .must_throw = true},
            {.name = "2048x576", .attributes = {2048, 576, 1}, .inputs = {}, .benchmark = true}};
  }
};

/// full<float>(t, rows, cols, number)
template <class T, class B>
var<T> full(tape<B>& t, index_t rows, index_t cols, double number) {
  return t.template apply<full_op, T>({rows, cols, number}, operands());
}

}  // namespace mor1e::ops
