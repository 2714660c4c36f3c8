// A limit to the tokens an expert takes.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ie = 1 for the first C of the rows that chose expert e (1 in `chosen`), in each group; else 0.
/// C = ceil(factor k S / E) for S live rows of k choices each; the order is that of the rows, whatever the rank of a
/// choice.
///   chosen [T, E], instance of each row [T, 1] (-1: dead)  ->  y [T, E]
struct capacity_mask_op {
  static constexpr const char* label = "capacity_mask";
  static constexpr const char* no_gradient = "a choice: it does not change with small changes";
  using attributes = backend::capacity_shape;

  static signature shape(const attributes& s, operands in) {
    check(s.factor > 0 && s.choices > 0, label, "factor ", s.factor, ", ", s.choices,
          " choices: no expert takes anything");
    check(s.group != backend::token_group::token, label, "a limit for each token alone");
    check(in[1].rows == in[0].rows && in[1].cols == 1, label, "one instance a row: ", describe("chosen", in[0]), ", ",
          describe("instances", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}},
            .forward_scratch = {{in[0].rows, in[0].cols + 1}},
            .cheap = true,
            .indices = {{.input = 1, .end = in[0].rows}}};
  }

  template <class B, class T>
  requires HasRouting<B, T>
  static void forward(call<B, T> c, const attributes& s) {
    capacity_mask(c.device(), s, c.in(0), c.template in_as<std::int32_t>(1), c.out(), c.scratch());
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {2 * n, 3 * n * 4};
  }

  static std::vector<op_case<capacity_mask_op>> cases() {
    using backend::token_group;
    const auto tokens = [](std::vector<std::int32_t> of) {
      return case_input{.rows = index_t(of.size()), .cols = 1, .integers = of};
    };
    const case_input chosen{6, 3, 1, 1};
    return {
        {.name = "one", .inputs = {{1, 1, 1, 1}, tokens({0})}},
        {.name = "batch", .attributes = {2, 0.75, token_group::batch}, .inputs = {chosen, tokens({0, 0, 1, -1, 1, 0})}},
        {.name = "instances",
         .attributes = {2, 0.75, token_group::instance},
         .inputs = {chosen, tokens({0, 0, 1, -1, 1, 0})}},
        {.name = "nobody", .attributes = {2, 0.75, token_group::batch}, .inputs = {{2, 3, 1, 1}, tokens({-1, -1})}},
        {.name = "roomy", .attributes = {3, 9, token_group::batch}, .inputs = {chosen, tokens({0, 0, 1, -1, 1, 0})}},
        {.name = "no_room",
         .attributes = {1, 0, token_group::batch},
         .inputs = {chosen, tokens({0, 0, 0, 0, 0, 0})},
         .must_throw = true},
        {.name = "rows", .inputs = {chosen, tokens({0, 0})}, .must_throw = true},
        {.name = "2048x16",
         .attributes = {4, 1.25, token_group::batch},
         .inputs = {{2048, 16, 1, 1}, tokens(std::vector<std::int32_t>(2048, 3))},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> capacity_mask(tape<B>& t, const backend::capacity_shape& s, var<T> chosen, var<std::int32_t> instances) {
  return t.template apply<capacity_mask_op, T>(s, {chosen, instances});
}

}  // namespace mor1e::ops
