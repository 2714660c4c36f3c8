// The weights of rank-1 experts by themselves.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/backend/rank1_gates.hpp"
#include "mor1e/ops/rank1_gates.hpp"

namespace mor1e::ops {

/// o w of one linear, which `rank1_gates` makes and multiplies the products with without writing it down.
///   operands as there -> [T, N]
struct rank1_weights_op {
  static constexpr const char* label = "rank1_weights";
  static constexpr const char* no_gradient = "a report: nothing is trained through it";
  struct attributes {
    backend::rank1_gates_shape gates;
    int part = 0;
  };

  static signature shape(const attributes& a, operands in) {
    const signature gates = rank1_gates_op::shape(a.gates, in);
    check(a.part >= 0 && a.part < a.gates.parts, label, "part ", a.part, " of ", a.gates.parts);
    return {.outputs = {{in[0].rows, a.gates.experts}}, .indices = gates.indices};
  }

  template <class B, class T>
  requires HasRank1Gates<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    rank1_weights(c.device(), a.gates, a.part, c.in(0), c.in(1), c.template in_as<std::int32_t>(2), c.in(3), c.in(4),
                  c.out());
  }

  static cost work(const attributes& a, operands in, bool) {
    const double n = double(in[0].rows * a.gates.experts);
    return {12 * n, 2 * n * 4};
  }

  static std::vector<op_case<rank1_weights_op>> cases() {
    std::vector<op_case<rank1_weights_op>> out;
    for (const auto& c : rank1_gates_op::cases())
      out.push_back({.name = c.name,
                     .attributes = {c.attributes, c.attributes.parts - 1},
                     .inputs = c.inputs,
                     .benchmark = c.benchmark,
                     .must_throw = c.must_throw});
    out.push_back(
        {.name = "part", .attributes = {{}, 1}, .inputs = rank1_gates_op::cases()[0].inputs, .must_throw = true});
    return out;
  }
};

/// The weights of part `part`; the other arguments as `rank1_gates` takes them.
template <class B, class T>
var<T> rank1_weights(tape<B>& t, const backend::rank1_gates_shape& s, int part, var<T> x, var<T> intuition,
                     var<std::int32_t> instances, var<T> a, var<T> b) {
  return t.template apply<rank1_weights_op, T>({s, part}, {x, intuition, instances, a, b});
}

}  // namespace mor1e::ops
