// A fixed multiple.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = alpha x                                                                               x [T, n] -> y [T, n]
struct scale_op {
  static constexpr const char* label = "scale";
  struct attributes {
    double alpha = 1;
  };

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}}, .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void forward(call<B, T> c, const attributes& a) { axpby(c.device(), T(a.alpha), c.in(0), T(0), c.out()); }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    axpby(c.device(), T(a.alpha), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {1 * n, 2 * n * 4};
  }

  static std::vector<op_case<scale_op>> cases() {
    return {{.name = "one", .attributes = {.alpha = -3}, .inputs = {{1, 1}}},
            {.name = "rows", .attributes = {.alpha = 0.5}, .inputs = {{5, 19}}},
            {.name = "2048x576", .attributes = {.alpha = 0.5}, .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> scale(tape<B>& t, var<T> x, double alpha) {
  return t.template apply<scale_op, T>({alpha}, {x});
}

template <class B, class T>
value<B, T> scale(value<B, T> x, double alpha) {
  return on(x.tape(), scale(x.tape(), x.var(), alpha));
}

}  // namespace mor1e::ops
