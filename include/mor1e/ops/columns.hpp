// A range of columns.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = x[:, begin : begin + count]                                                       x [T, n] -> y [T, count]
struct columns_op {
  static constexpr const char* label = "columns";
  struct attributes {
    index_t begin = 0;
    index_t count = 0;
  };

  static signature shape(const attributes& a, operands in) {
    check(a.begin >= 0 && a.count >= 0 && a.begin + a.count <= in[0].cols, label, "no such columns: [", a.begin, ", ",
          a.begin + a.count, ") of ", describe("x", in[0]));
    return {.outputs = {{in[0].rows, a.count}}, .cheap = true};
  }

  template <class B, class T>
  requires HasAxpby<B, T> && HasRescale<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    axpby(c.device(), T(1), c.in(0).col_range(a.begin, a.count), T(0), c.out());
  }

  template <class B, class T>
  requires HasAxpby<B, T> && HasRescale<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    const index_t end = a.begin + a.count;
    if (!dx.accumulate) {
      rescale(c.device(), T(0), dx.to.col_range(0, a.begin));
      rescale(c.device(), T(0), dx.to.col_range(end, dx.to.cols - end));
    }
    axpby(c.device(), T(1), c.grad_out(), dx.beta(), dx.to.col_range(a.begin, a.count));
  }

  static cost work(const attributes& a, operands in, bool) { return {0, 2 * double(in[0].rows * a.count) * 4}; }

  static std::vector<op_case<columns_op>> cases() {
    return {{.name = "one", .attributes = {0, 1}, .inputs = {{1, 1}}},
            {.name = "first", .attributes = {0, 3}, .inputs = {{4, 5}}},
            {.name = "middle", .attributes = {2, 19}, .inputs = {{3, 23}}},
            {.name = "last", .attributes = {4, 1}, .inputs = {{2, 5}}},
            {.name = "past_the_end", .attributes = {3, 3}, .inputs = {{2, 5}}, .must_throw = true},
            {.name = "2048x576", .attributes = {576, 576}, .inputs = {{2048, 1728}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> columns(tape<B>& t, var<T> x, index_t begin, index_t count) {
  return t.template apply<columns_op, T>({begin, count}, {x});
}

template <class B, class T>
value<B, T> columns(value<B, T> x, index_t begin, index_t count) {
  return on(x.tape(), columns(x.tape(), x.var(), begin, count));
}

}  // namespace mor1e::ops
