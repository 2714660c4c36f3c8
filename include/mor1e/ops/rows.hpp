// A range of rows.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = x[begin : begin + count, :]                                                       x [T, n] -> y [count, n]
/// For rows chosen by index see ops/gather_rows.hpp.
struct rows_op {
  static constexpr const char* label = "rows";
  struct attributes {
    index_t begin = 0;
    index_t count = 0;
  };

  static signature shape(const attributes& a, operands in) {
    check(a.begin >= 0 && a.count >= 0 && a.begin + a.count <= in[0].rows, label, "no such rows: [", a.begin, ", ",
          a.begin + a.count, ") of ", describe("x", in[0]));
    return {.outputs = {{a.count, in[0].cols}}, .cheap = true};
  }

  template <class B, class T>
  requires HasAxpby<B, T> && HasRescale<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    axpby(c.device(), T(1), c.in(0).row_range(a.begin, a.count), T(0), c.out());
  }

  template <class B, class T>
  requires HasAxpby<B, T> && HasRescale<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    const index_t end = a.begin + a.count;
    if (!dx.accumulate) {
      rescale(c.device(), T(0), dx.to.row_range(0, a.begin));
      rescale(c.device(), T(0), dx.to.row_range(end, dx.to.rows - end));
    }
    axpby(c.device(), T(1), c.grad_out(), dx.beta(), dx.to.row_range(a.begin, a.count));
  }

  static cost work(const attributes& a, operands in, bool) { return {0, 2 * double(a.count * in[0].cols) * 4}; }

  static std::vector<op_case<rows_op>> cases() {
    return {{.name = "one", .attributes = {0, 1}, .inputs = {{1, 1}}},
            {.name = "first", .attributes = {0, 3}, .inputs = {{5, 4}}},
            {.name = "middle", .attributes = {2, 19}, .inputs = {{23, 3}}},
            {.name = "last", .attributes = {4, 1}, .inputs = {{5, 2}}},
            {.name = "none", .attributes = {5, 0}, .inputs = {{5, 2}}},
            {.name = "past_the_end", .attributes = {3, 3}, .inputs = {{5, 2}}, .must_throw = true},
            {.name = "before_the_first", .attributes = {-1, 3}, .inputs = {{5, 2}}, .must_throw = true},
            {.name = "2048x576", .attributes = {2048, 2048}, .inputs = {{6144, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> rows(tape<B>& t, var<T> x, index_t begin, index_t count) {
  return t.template apply<rows_op, T>({begin, count}, {x});
}

template <class B, class T>
value<B, T> rows(value<B, T> x, index_t begin, index_t count) {
  return on(x.tape(), rows(x.tape(), x.var(), begin, count));
}

}  // namespace mor1e::ops
