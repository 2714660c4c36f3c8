// Base of losses that are the mean of a function of prediction and target.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/math.hpp"
#include "mor1e/ops/value_operands.hpp"

namespace mor1e::ops {

/// The derivative of Op by its operand K, as a function of both.
template <class Op, int K>
struct loss_derivative {
  template <class T>
  MOR1E_HD static T f(T x, T target) {
    return K == 0 ? Op::dx(x, target) : Op::dt(x, target);
  }
};

/// y = mean f(x_ij, t_ij) over all elements (added in double); dx = dy df/dx / (T n), dt likewise.
///   x [T, n], t [T, n] -> y [1, 1]
/// In one pass, no [T, n] in between. The op gives
///   static constexpr const char* label;
///   template <class T> static T f(T x, T t);
///   template <class T> static T dx(T x, T t);    // df/dx
///   template <class T> static T dt(T x, T t);
/// without branches, through core/math.hpp, so that loops over them vectorise.
template <class Op>
struct mean_loss {
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].rows == in[1].rows && in[0].cols == in[1].cols, Op::label, "shapes differ: ", describe("x", in[0]),
          ", ", describe("t", in[1]));
    check(in[0].rows * in[0].cols > 0, Op::label, "nothing to average: ", describe("x", in[0]));
    return {.outputs = {{1, 1}}, .backward_reads = reads(0) | reads(1)};
  }

  template <class B, class T>
  requires HasZipSum<B, T, Op>
  static void forward(call<B, T> c, const attributes&) {
    zip_sum(c.device(), Op{}, share(c), c.in(0), c.in(1), c.out());
  }

  template <class B, class T>
  requires HasZipSum<B, T, loss_derivative<Op, 0>>
  static void backward(call<B, T> c, const attributes&) {
    const auto to = [&](auto derivative, sink<B, T> d) {
      if (d) zip_sum_backward(c.device(), derivative, share(c), c.in(0), c.in(1), c.grad_out(), d.beta(), d.to);
    };
    to(loss_derivative<Op, 0>{}, c.grad_in(0));
    to(loss_derivative<Op, 1>{}, c.grad_in(1));
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 20 : 15) * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<Op>> cases() { return cases_on(-1, 1, -1, 1); }

 protected:
  static std::vector<op_case<Op>> cases_on(double low_x, double high_x, double low_t, double high_t) {
    std::vector<op_case<Op>> out;
    const auto add = [&](const char* name, index_t rows, index_t cols, bool measured = false) {
      out.push_back(
          {.name = name, .inputs = {{rows, cols, low_x, high_x}, {rows, cols, low_t, high_t}}, .benchmark = measured});
    };
    add("one", 1, 1);
    add("row", 1, 19);
    add("rows", 5, 3);
    add("tall", 200, 1);
    out.push_back(
        {.name = "fixed_targets",
         .inputs = {{3, 2, low_x, high_x}, {.rows = 3, .cols = 2, .low = low_t, .high = high_t, .gradient = false}}});
    out.push_back({.name = "shapes_differ", .inputs = {{3, 2}, {1, 2}}, .must_throw = true});
    out.push_back({.name = "nothing", .inputs = {{0, 2}, {0, 2}}, .must_throw = true});
    add("2048x576", 2048, 576, true);
    return out;
  }

 private:
  template <class B, class T>
  static T share(const call<B, T>& c) {
    return T(1) / T(c.in(0).size());
  }
};

}  // namespace mor1e::ops
