// The mixture of rank-1 experts between its two products.
#pragma once

#include <limits>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/backend/rank1_gates.hpp"

namespace mor1e::ops {

/// g_p = o_p w_p * h_p,  w_p = c_token t_p softmax(l_p) + c_intuition (1 - t_p) I,  t = sigmoid(100 a),  o =
/// sigmoid(100 b)
///   x = [h_0 .. h_{P-1} | l_0 .. l_{P-1}] [T, 2 P N]: products V^T x of N experts of each of P linears, then logits R
///   x; I [instances, N] (or [instances, P N], its own for each linear), instance of each token [T, 1] (-1: no
///   intuition), a, b [1, P]          ->  g [T, P N]
/// Without learned gates t, 1 - t and o are absent (preset `paper`). Saves nothing: the backward reads its inputs.
/// Source: Intuition-MoR1E, Algorithm 2; constants and gates of its released code. The composed form is in
/// peft/rank1_composed.hpp.
struct rank1_gates_op {
  static constexpr const char* label = "rank1_gates";
  using attributes = backend::rank1_gates_shape;

  static signature shape(const attributes& s, operands in) {
    check(in[0].cols == s.columns(), label, "columns are not 2 x linears x experts: ", describe("x", in[0], "tokens"),
          "; ", s.parts, " linears, ", s.experts, " experts", s.router ? " with logits" : "");
    check(in[1].cols == s.intuition_columns() || !s.intuition, label,
          "one cluster an expert: ", describe("intuition", in[1], "instances", "clusters"), "; ", s.experts,
          " experts");
    check(in[2].rows == in[0].rows, label, "one instance a token: ", describe("x", in[0], "tokens"), ", ",
          describe("instances", in[2], "tokens"));
    check(!s.learned_gates || (in[3].cols == s.parts && in[4].cols == s.parts), label,
          "one gate a linear: ", describe("a", in[3]), ", ", describe("b", in[4]), "; ", s.parts, " linears");
    return {.outputs = {{in[0].rows, index_t(s.parts) * s.experts}},
            .backward_reads = reads(0) | reads(1) | reads(2) | reads(3) | reads(4),
            .cheap = true,
            .indices = {{.input = 2, .end = s.intuition ? in[1].rows : std::numeric_limits<index_t>::max()}}};
  }

  template <class B, class T>
  requires HasRank1Gates<B, T>
  static void forward(call<B, T> c, const attributes& s) {
    rank1_gates_forward(c.device(), s, c.in(0), c.in(1), c.template in_as<std::int32_t>(2), c.in(3), c.in(4), c.out());
  }

  template <class B, class T>
  requires HasRank1Gates<B, T> && HasFill<B, T>
  static void backward(call<B, T> c, const attributes& s) {
    const auto dx = c.grad_in(0);
    // The kernel adds to these three.
    for (int k : {1, 3, 4})
      if (const auto sum = c.grad_in(k); sum && !sum.accumulate) fill(c.device(), T(0), sum.to);
    rank1_gates_backward(c.device(), s, c.in(0), c.in(1), c.template in_as<std::int32_t>(2), c.in(3), c.in(4),
                         c.grad_out(), dx.beta(), dx.to, c.grad_in(1).to, c.grad_in(3).to, c.grad_in(4).to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 20 : 12) * n, (backward ? 4 : 1.5) * n * 4};
  }

  static std::vector<op_case<rank1_gates_op>> cases() {
    const auto tokens = [](std::vector<std::int32_t> of) {
      const index_t rows = index_t(of.size());
      return case_input{.rows = rows, .cols = 1, .gradient = false, .integers = std::move(of)};
    };
    const case_input no_gate{.rows = 1, .cols = 1, .gradient = false};
    const auto gate = [](index_t parts) { return case_input{1, parts, -0.01, 0.01}; };
    return {
        {.name = "one", .attributes = {}, .inputs = {{1, 2}, {1, 1}, tokens({0}), no_gate, no_gate}},
        {.name = "paper",
         .attributes = {.experts = 5},
         .inputs = {{4, 10}, {2, 5}, tokens({0, 0, 1, -1}), no_gate, no_gate}},
        {.name = "release",
         .attributes = {.parts = 3, .experts = 4, .c_token = 4, .c_intuition = 4, .learned_gates = true},
         .inputs = {{5, 24}, {2, 4}, tokens({1, 0, 1, -1, 0}), gate(3), gate(3)}},
        {.name = "intuition_only",
         .attributes = {.parts = 2, .experts = 3, .c_intuition = 4, .router = false, .learned_gates = true},
         .inputs = {{3, 6}, {1, 3}, tokens({0, 0, -1}), gate(2), gate(2)}},
        {.name = "own_intuition",
         .attributes =
             {.parts = 3, .experts = 4, .c_token = 4, .c_intuition = 4, .learned_gates = true, .own_intuition = true},
         .inputs = {{5, 24}, {2, 12}, tokens({1, 0, 1, -1, 0}), gate(3), gate(3)}},
        {.name = "rank1_only",
         .attributes = {.parts = 2, .experts = 3, .c_token = 3, .intuition = false, .learned_gates = true},
         .inputs = {{3, 12}, {1, 1}, tokens({0, 0, 0}), gate(2), gate(2)}},
        {.name = "many_experts",
         .attributes = {.experts = 70, .c_token = 70, .c_intuition = 4, .learned_gates = true},
         .inputs = {{3, 140}, {2, 70}, tokens({0, 1, 1}), gate(1), gate(1)}},
        {.name = "columns",
         .attributes = {.experts = 5},
         .inputs = {{4, 9}, {2, 5}, tokens({0, 0, 1, 1}), no_gate, no_gate},
         .must_throw = true},
        {.name = "clusters",
         .attributes = {.experts = 5},
         .inputs = {{4, 10}, {2, 4}, tokens({0, 0, 1, 1}), no_gate, no_gate},
         .must_throw = true},
        {.name = "2048x3x32",
         .attributes = {.parts = 3, .experts = 32, .c_token = 32, .c_intuition = 4, .learned_gates = true},
         .inputs = {{2048, 192}, {16, 32}, tokens(std::vector<std::int32_t>(2048, 3)), gate(3), gate(3)},
         .benchmark = true}};
  }
};

/// Gates applied to the products. `a` and `b` may be any [1, 1] constants when the gates are not learned.
template <class B, class T>
var<T> rank1_gates(tape<B>& t, const backend::rank1_gates_shape& s, var<T> x, var<T> intuition,
                   var<std::int32_t> instances, var<T> a, var<T> b) {
  return t.template apply<rank1_gates_op, T>(s, {x, intuition, instances, a, b});
}

}  // namespace mor1e::ops
