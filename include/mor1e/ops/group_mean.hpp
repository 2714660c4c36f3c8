// Each row replaced by the mean of its group.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_i = mean of x over the live rows of the group of i; zeros in dead rows. x [T, n], instance of each row [T, 1] -> y
/// [T, n] With groups of one token: x without its dead rows. A projection that is its own transpose: dx is the same
/// mean of dy. Throws a value_error for an input with an instance whose number is not below T.
struct group_mean_op {
  static constexpr const char* label = "group_mean";
  struct attributes {
    backend::token_group group = backend::token_group::batch;
  };

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == in[0].rows && in[1].cols == 1, label, "one instance a row: ", describe("x", in[0]), ", ",
          describe("instances", in[1]));
    const slot_size sums{in[0].rows, in[0].cols + 1};
    return {.outputs = {{in[0].rows, in[0].cols}},
            .forward_scratch = {sums},
            .backward_scratch = {sums},
            .backward_reads = reads(1),
            .cheap = true,
            .indices = {{.input = 1, .end = in[0].rows}}};
  }

  template <class B, class T>
  requires HasGroupMean<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    group_mean(c.device(), a.group, c.in(0), c.template in_as<std::int32_t>(1), T(0), c.out(), c.scratch());
  }

  template <class B, class T>
  requires HasGroupMean<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    group_mean(c.device(), a.group, c.grad_out(), c.template in_as<std::int32_t>(1), dx.beta(), dx.to, c.scratch());
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {2 * n, 3 * n * 4};
  }

  static std::vector<op_case<group_mean_op>> cases() {
    using backend::token_group;
    const auto tokens = [](std::vector<std::int32_t> of) {
      return case_input{.rows = index_t(of.size()), .cols = 1, .integers = of};
    };
    return {
        {.name = "one", .inputs = {{1, 1}, tokens({0})}},
        {.name = "batch", .attributes = {token_group::batch}, .inputs = {{6, 5}, tokens({0, 2, -1, 0, 1, 2})}},
        {.name = "instances", .attributes = {token_group::instance}, .inputs = {{6, 5}, tokens({0, 2, -1, 0, 1, 2})}},
        {.name = "tokens", .attributes = {token_group::token}, .inputs = {{6, 19}, tokens({0, 2, -1, 0, 1, 2})}},
        {.name = "nobody", .attributes = {token_group::batch}, .inputs = {{2, 3}, tokens({-1, -1})}},
        {.name = "rows", .inputs = {{4, 3}, tokens({0, 0})}, .must_throw = true},
        {.name = "2048x16",
         .attributes = {token_group::instance},
         .inputs = {{2048, 16}, tokens(std::vector<std::int32_t>(2048, 3))},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> group_mean(tape<B>& t, var<T> x, var<std::int32_t> instances, backend::token_group group) {
  return t.template apply<group_mean_op, T>({group}, {x, instances});
}

}  // namespace mor1e::ops
