// What a router does, for logs.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/backend/rank1_gates.hpp"

namespace mor1e::ops {

/// For each linear of a group: [mean entropy of softmax(logits) in nats, mean weight of each expert], over the rows
/// that belong to an instance.                    x as in rank1_gates, instance of each token [T, 1] -> [P, 1 + N]
struct router_statistics_op {
  static constexpr const char* label = "router_statistics";
  static constexpr const char* no_gradient = "a report: nothing is trained through it";
  using attributes = backend::rank1_gates_shape;

  static signature shape(const attributes& s, operands in) {
    check(s.router && in[0].cols == s.columns(), label,
          "columns are not 2 x linears x experts: ", describe("x", in[0], "tokens"), "; ", s.parts, " linears, ",
          s.experts, " experts");
    return {.outputs = {{s.parts, 1 + s.experts}}};
  }

  template <class B, class T>
  requires HasRank1Gates<B, T>
  static void forward(call<B, T> c, const attributes& s) {
    rank1_gates_statistics(c.device(), s, c.in(0), c.template in_as<std::int32_t>(1), c.out());
  }

  static cost work(const attributes&, operands in, bool) {
    return {10.0 * double(in[0].rows * in[0].cols), 4.0 * double(in[0].rows * in[0].cols)};
  }

  static std::vector<op_case<router_statistics_op>> cases() {
    const case_input tokens{.rows = 4, .cols = 1, .gradient = false, .integers = {0, 0, -1, 1}};
    return {
        {.name = "uniform", .attributes = {.parts = 2, .experts = 3}, .inputs = {{4, 12, 0, 0}, tokens}},
        {.name = "random", .attributes = {.parts = 2, .experts = 3}, .inputs = {{4, 12, -3, 3}, tokens}},
        {.name = "columns", .attributes = {.parts = 2, .experts = 3}, .inputs = {{4, 11}, tokens}, .must_throw = true}};
  }
};

template <class B, class T>
var<T> router_statistics(tape<B>& t, const backend::rank1_gates_shape& s, var<T> x, var<std::int32_t> instances) {
  return t.template apply<router_statistics_op, T>(s, {x, instances});
}

}  // namespace mor1e::ops
