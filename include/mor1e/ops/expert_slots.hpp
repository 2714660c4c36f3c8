// Weights of experts, applied to the products of their slots.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_j = w_e(j) h_q(j), slot j being of expert e(j) and reading product q(j) (backend/routing.hpp).
///   w [T, E], h [T, E r], or [T, r] if the experts share them  ->  y [T, E r]
/// dw_e = sum over the slots of e of dy_j h_q(j);  dh_q = sum over the slots that read q of dy_j w_e(j)
struct expert_slots_op {
  static constexpr const char* label = "expert_slots";
  using attributes = backend::expert_slots_shape;

  static signature shape(const attributes& s, operands in) {
    check(s.experts > 0 && s.rank > 0, label, s.experts, " experts of rank ", s.rank);
    check(in[0].cols == s.experts, label, "one weight an expert: ", describe("w", in[0], "tokens", "experts"), "; ",
          s.experts, " experts");
    check(in[1].cols == s.products(), label, "products: ", describe("h", in[1], "tokens"), "; ", s.experts,
          " experts of rank ", s.rank);
    check(in[0].rows == in[1].rows, label, "rows differ: ", describe("w", in[0]), ", ", describe("h", in[1]));
    return {.outputs = {{in[0].rows, s.slots()}}, .backward_reads = reads(0) | reads(1), .cheap = true};
  }

  template <class B, class T>
  requires HasExpertSlots<B, T>
  static void forward(call<B, T> c, const attributes& s) {
    expert_slots_forward(c.device(), s, c.in(0), c.in(1), c.out());
  }

  template <class B, class T>
  requires HasExpertSlots<B, T>
  static void backward(call<B, T> c, const attributes& s) {
    const auto dw = c.grad_in(0), dh = c.grad_in(1);
    expert_slots_backward(c.device(), s, c.in(0), c.in(1), c.grad_out(), dw.beta(), dw.to, dh.beta(), dh.to);
  }

  static cost work(const attributes& s, operands in, bool backward) {
    const double n = double(in[0].rows * s.slots());
    return {(backward ? 4 : 1) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<expert_slots_op>> cases() {
    using backend::slot_order;
    return {
        {.name = "one", .inputs = {{1, 1}, {1, 1}}},
        {.name = "block", .attributes = {5, 3, slot_order::block}, .inputs = {{4, 5}, {4, 15}}},
        {.name = "tiled", .attributes = {5, 3, slot_order::tiled}, .inputs = {{4, 5}, {4, 15}}},
        {.name = "shared", .attributes = {5, 3, slot_order::shared}, .inputs = {{4, 5}, {4, 3}}},
        {.name = "many", .attributes = {3, 19, slot_order::block}, .inputs = {{70, 3}, {70, 57}}},
        {.name = "weights_alone",
         .attributes = {2, 3, slot_order::tiled},
         .inputs = {{2, 2}, {.rows = 2, .cols = 6, .gradient = false}}},
        {.name = "products_alone",
         .attributes = {2, 3, slot_order::shared},
         .inputs = {{.rows = 2, .cols = 2, .gradient = false}, {2, 3}}},
        {.name = "products", .attributes = {5, 3, slot_order::shared}, .inputs = {{4, 5}, {4, 15}}, .must_throw = true},
        {.name = "experts", .attributes = {5, 3, slot_order::block}, .inputs = {{4, 3}, {4, 15}}, .must_throw = true},
        {.name = "rows", .attributes = {1, 1, slot_order::block}, .inputs = {{4, 1}, {3, 1}}, .must_throw = true},
        {.name = "2048x8x4",
         .attributes = {8, 4, slot_order::block},
         .inputs = {{2048, 8}, {2048, 32}},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> expert_slots(tape<B>& t, const backend::expert_slots_shape& s, var<T> w, var<T> h) {
  return t.template apply<expert_slots_op, T>(s, {w, h});
}

}  // namespace mor1e::ops
