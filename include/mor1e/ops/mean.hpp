// Mean of all elements, of each column or of each row.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/sum.hpp"

namespace mor1e::ops {

/// y = mean of x over all elements, over the rows or over the columns; dx = dy / (elements a mean has), repeated.
///   x [T, n] -> y [1, 1], [1, n] or [T, 1]
struct mean_op {
  static constexpr const char* label = "mean";
  using attributes = sum_op::attributes;

  static signature shape(const attributes& a, operands in) {
    const slot_size y = reduced_shape(a.over, in[0]);
    check_not_empty(label, a.over, in[0]);
    return {.outputs = {y}, .backward_scratch = {y}, .cheap = a.over == over::columns};
  }

  template <class B, class T>
  requires HasSums<B, T> && HasRescale<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    sum_op::forward<B, T>(c, a);
    rescale(c.device(), share(c), c.out());
  }

  template <class B, class T>
  requires HasSums<B, T> && HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    axpby(c.device(), share(c), c.grad_out(), T(0), c.scratch());
    broadcast(c.device(), view_of<B, const T>(c.scratch()), dx.beta(), dx.to);
  }

  static cost work(const attributes& a, operands in, bool backward) { return sum_op::work(a, in, backward); }

  static std::vector<op_case<mean_op>> cases() {
    std::vector<op_case<mean_op>> out;
    for (const auto& c : sum_op::cases())
      out.push_back({.name = c.name, .attributes = c.attributes, .inputs = c.inputs, .benchmark = c.benchmark});
    out.push_back({.name = "nothing", .inputs = {{0, 3}}, .must_throw = true});
    out.push_back({.name = "empty_rows", .attributes = {over::columns}, .inputs = {{3, 0}}, .must_throw = true});
    return out;
  }

 private:
  /// One over the number of elements of each mean; without any mean it is not used.
  template <class B, class T>
  static T share(const call<B, T>& c) {
    return c.out().size() == 0 ? T(0) : T(c.out().size()) / T(c.in(0).size());
  }
};

/// mean(t, x) is one number; mean(t, x, over::columns) one a row.
template <class B, class T>
var<T> mean(tape<B>& t, var<T> x, over what = over::all) {
  return t.template apply<mean_op, T>({what}, {x});
}

template <class B, class T>
value<B, T> mean(value<B, T> x, over what = over::all) {
  return on(x.tape(), mean(x.tape(), x.var(), what));
}

}  // namespace mor1e::ops
