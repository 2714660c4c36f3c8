// Rows of a matrix, chosen by index.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_i = scale x_index[i]; an index of -1 gives a row of zeros.              x [N, d], index int32 [M, 1] -> y [M, d]
/// dx_index[i] += scale dy_i, always in the order of i. Throws a value_error for an input with an index past the end of
/// x.
struct gather_rows_op {
  static constexpr const char* label = "gather_rows";
  struct attributes {
    double scale = 1;
  };

  static signature shape(const attributes&, operands in) {
    check(in[1].cols == 1, label, "one index a row: ", describe("index", in[1]));
    return {.outputs = {{in[1].rows, in[0].cols}},
            .backward_reads = reads(1),
            .cheap = true,
            .indices = {{.input = 1, .end = in[0].rows}}};
  }

  template <class B, class T>
  requires HasGather<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    gather_rows(c.device(), T(a.scale), c.in(0), c.template in_as<std::int32_t>(1), c.out());
  }

  template <class B, class T>
  requires HasGather<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    scatter_rows(c.device(), T(a.scale), c.grad_out(), c.template in_as<std::int32_t>(1), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[1].rows * in[0].cols);
    return {n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<gather_rows_op>> cases() {
    const auto index = [](std::vector<std::int32_t> i) {
      return case_input{.rows = index_t(i.size()), .cols = 1, .integers = i};
    };
    return {{.name = "one", .inputs = {{1, 1}, index({0})}},
            {.name = "some", .inputs = {{5, 3}, index({4, 0})}},
            {.name = "repeated", .attributes = {.scale = 3}, .inputs = {{4, 19}, index({2, 0, 2, 2, 1, 0})}},
            {.name = "none", .inputs = {{4, 3}, index({-1, 3, -1})}},
            {.name = "pairs", .inputs = {{4, 3}, {.rows = 2, .cols = 2, .integers = {0, 1, 2, 3}}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, index(std::vector<std::int32_t>(512, 7))}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> gather_rows(tape<B>& t, var<T> x, var<std::int32_t> index, double scale = 1) {
  return t.template apply<gather_rows_op, T>({scale}, {x, index});
}

template <class B, class T>
value<B, T> gather_rows(value<B, T> x, value<B, std::int32_t> index, double scale = 1) {
  return on(x.tape(), gather_rows(x.tape(), x.var(), index.var(), scale));
}

}  // namespace mor1e::ops
