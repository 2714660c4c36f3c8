// The largest elements of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = 1 where x_ij is one of the k largest of its row, of equal ones the first; else 0. Zeros in dead rows.
///   x [T, n], instance of each row [T, 1] (-1: dead)  ->  y [T, n]
/// Times x it is x's k largest elements, with their gradient.
struct top_k_mask_op {
  static constexpr const char* label = "top_k_mask";
  static constexpr const char* no_gradient = "a choice: it does not change with small changes";
  struct attributes {
    int k = 1;
  };

  static signature shape(const attributes& a, operands in) {
    check(a.k >= 1 && a.k <= in[0].cols, label, "no ", a.k, " largest of ", describe("x", in[0]));
    check(in[1].rows == in[0].rows && in[1].cols == 1, label, "one instance a row: ", describe("x", in[0]), ", ",
          describe("instances", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .cheap = true};
  }

  template <class B, class T>
  requires HasRouting<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    top_k_mask(c.device(), a.k, c.in(0), c.template in_as<std::int32_t>(1), c.out());
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {double(in[0].cols) * n, 2 * n * 4};
  }

  static std::vector<op_case<top_k_mask_op>> cases() {
    const auto live = [](index_t rows) {
      return case_input{.rows = rows, .cols = 1, .integers = std::vector<std::int32_t>(std::size_t(rows), 0)};
    };
    return {{.name = "one", .inputs = {{1, 1}, live(1)}},
            {.name = "some", .attributes = {3}, .inputs = {{5, 7}, live(5)}},
            {.name = "all", .attributes = {7}, .inputs = {{5, 7}, live(5)}},
            {.name = "ties", .attributes = {3}, .inputs = {{2, 5, 1, 1}, live(2)}},
            {.name = "dead", .attributes = {2}, .inputs = {{3, 4}, {.rows = 3, .cols = 1, .integers = {0, -1, 1}}}},
            {.name = "too_many", .attributes = {8}, .inputs = {{5, 7}, live(5)}, .must_throw = true},
            {.name = "none", .attributes = {0}, .inputs = {{5, 7}, live(5)}, .must_throw = true},
            {.name = "2048x16", .attributes = {4}, .inputs = {{2048, 16}, live(2048)}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> top_k_mask(tape<B>& t, var<T> x, var<std::int32_t> instances, int k) {
  return t.template apply<top_k_mask_op, T>({k}, {x, instances});
}

}  // namespace mor1e::ops
