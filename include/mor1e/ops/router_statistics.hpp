// What a router does, for logs.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// The share of expert j in a token's weights is |w_j| / sum |w|: [mean entropy of the shares in nats, mean share of
/// each expert], over the rows of an instance whose weights are not all 0 (zeros without such a row).
///   w [T, E], instance of each token [T, 1] (-1: none) -> [1, 1 + E]
struct router_statistics_op {
  static constexpr const char* label = "router_statistics";
  static constexpr const char* no_gradient = "a report: nothing is trained through it";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == in[0].rows && in[1].cols == 1, label,
          "one instance a token: ", describe("w", in[0], "tokens", "experts"), ", ", describe("instances", in[1]));
    return {.outputs = {{1, 1 + in[0].cols}}};
  }

  template <class B, class T>
  requires HasRouterStatistics<B, T>
  static void forward(call<B, T> c, const attributes&) {
    router_statistics(c.device(), c.in(0), c.template in_as<std::int32_t>(1), c.out());
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {20 * n, 4 * n};
  }

  static std::vector<op_case<router_statistics_op>> cases() {
    const case_input tokens{.rows = 4, .cols = 1, .gradient = false, .integers = {0, 0, -1, 1}};
    return {{.name = "one", .inputs = {{4, 1, 0, 1}, tokens}},
            {.name = "equal", .inputs = {{4, 12, 1, 1}, tokens}},
            {.name = "signs", .inputs = {{4, 33, -3, 3}, tokens}},
            {.name = "nothing", .inputs = {{4, 5, 0, 0}, tokens}},
            {.name = "rows",
             .inputs = {{4, 5}, {.rows = 3, .cols = 1, .gradient = false, .integers = {0, 0, 0}}},
             .must_throw = true},
            {.name = "2048x32",
             .inputs = {{2048, 32, 0, 1},
                        {.rows = 2048, .cols = 1, .gradient = false, .integers = std::vector<std::int32_t>(2048, 3)}},
             .benchmark = true}};
  }
};

template <class B, class T>
var<T> router_statistics(tape<B>& t, var<T> w, var<std::int32_t> instances) {
  return t.template apply<router_statistics_op, T>({}, {w, instances});
}

}  // namespace mor1e::ops
