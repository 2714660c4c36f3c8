// A frozen language-model head and its cross entropy, without the logits.
#pragma once

#include <algorithm>

#include "mor1e/ops/cross_entropy.hpp"

namespace mor1e::ops {

/// cross_entropy(x W^T, targets, scale)
///   x [A, h], W [V, h] frozen, targets int32 [A, 1], scale [1, 1]  ->  loss [1, 1], nll [A, 1]
/// Logits exist for `chunk` rows at a time. While they do, the gradient of sum_i nll_i by x is made of them and saved,
/// [A, h]; the backward only multiplies it by scale dloss. As in cross_entropy, nll and scale have no gradient, and a
/// target past the last class throws.
struct linear_cross_entropy_op {
  static constexpr const char* label = "linear_cross_entropy";
  struct attributes {
    index_t chunk = 128;
    bool gradient = true;  ///< false saves nothing and does half the work
  };

  static signature shape(const attributes& a, operands in) {
    check(in[0].cols == in[1].cols, label, "inner dimensions differ: ", describe("x", in[0], "answers", "in"), ", ",
          describe("w", in[1], "classes", "in"), "; ", in[0].cols, " != ", in[1].cols);
    check(in[1].rows > 0, label, "no classes: ", describe("w", in[1], "classes", "in"));
    check(in[2].rows == in[0].rows && in[2].cols == 1, label,
          "one target a row: ", describe("x", in[0], "answers", "in"), ", ", describe("targets", in[2], "answers"));
    check(in[3].rows == 1 && in[3].cols == 1, label, "one number: ", describe("scale", in[3]));
    check(a.chunk > 0, label, "a chunk has at least one row, not ", a.chunk);
    signature s{.outputs = {{1, 1}, {in[0].rows, 1}},
                .forward_scratch = {{std::min(a.chunk, in[0].rows), in[1].rows}},
                .backward_scratch = {{1, 1}},
                .backward_reads = reads(3),
                .indices = {{.input = 2, .end = in[1].rows}}};
    if (a.gradient) s.saved = {{in[0].rows, in[0].cols}};
    return s;
  }

  template <class B, class T>
  requires HasLinearCrossEntropy<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    const auto& w = c.template object<typename B::template frozen<T>>(1);
    const view_of<B, const T> x = c.in(0);
    const view_of<B, T> loss = c.out(0), nll = c.out(1);
    for (index_t begin = 0; begin < x.rows; begin += a.chunk) {
      const index_t count = std::min(a.chunk, x.rows - begin);
      const view_of<B, T> logits = c.scratch().row_range(0, count);
      frozen_gemm(c.device(), backend::transpose::yes, x.row_range(begin, count), w, T(0), logits,
                  backend::operand_rounding::avoided);
      cross_entropy_in_place(c.device(), c.template in_as<std::int32_t>(2).row_range(begin, count), logits,
                             nll.row_range(begin, count));
      if (a.gradient)
        frozen_gemm(c.device(), backend::transpose::no, view_of<B, const T>(logits), w, T(0),
                    c.saved().row_range(begin, count), backend::operand_rounding::avoided);
    }
    sum(c.device(), view_of<B, const T>(nll), T(0), loss);
    multiply(c.device(), view_of<B, const T>(loss), c.in(3), T(0), loss);
  }

  template <class B, class T>
  requires HasLinearCrossEntropy<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    require<error>(a.gradient, label, ": was recorded without a gradient");
    require<error>(!c.grad_out(1).address(), label, ": nll has no gradient, use the loss");
    const auto dx = c.grad_in(0);
    const view_of<B, T> factor = c.scratch();
    multiply(c.device(), c.grad_out(0), c.in(3), T(0), factor);
    scale_by(c.device(), view_of<B, const T>(factor), view_of<B, const T>(c.saved()), dx.beta(), dx.to);
  }

  static cost work(const attributes& a, operands in, bool backward) {
    const double t = double(in[0].rows), n = double(in[0].cols), v = double(in[1].rows);
    if (backward) return {t * n, 2 * t * n * 4};
    return {(a.gradient ? 4 : 2) * t * n * v + 16 * t * v, 4 * (t * n + n * v + t * v)};
  }

  static std::vector<op_case<linear_cross_entropy_op>> cases() {
    const auto w = [](index_t m, index_t n) {
      return case_input{.rows = m, .cols = n, .gradient = false, .frozen = true};
    };
    const auto targets = [](std::vector<std::int32_t> t) {
      return case_input{.rows = index_t(t.size()), .cols = 1, .integers = t};
    };
    const case_input scale{.rows = 1, .cols = 1, .low = 0.5, .high = 1.5, .gradient = false};
    return {
        {.name = "one", .inputs = {{1, 1}, w(2, 1), targets({0}), scale}},
        {.name = "chunk", .inputs = {{4, 3}, w(5, 3), targets({4, -1, 0, 2}), scale}},
        {.name = "chunks", .attributes = {.chunk = 2}, .inputs = {{5, 3}, w(7, 3), targets({4, -1, 0, -1, 6}), scale}},
        {.name = "inner", .inputs = {{2, 3}, w(5, 4), targets({1, 1}), scale}, .must_throw = true},
        {.name = "targets", .inputs = {{2, 3}, w(5, 3), targets({1}), scale}, .must_throw = true},
        {.name = "512x576x49152",
         .inputs = {{512, 576}, w(49152, 576), targets(std::vector<std::int32_t>(512, 7)), scale},
         .benchmark = true}};
  }
};

/// `gradient`: pass false when the plan recorded here has no backward.
template <class B, class T>
loss_and_nll<T> linear_cross_entropy(tape<B>& t, var<T> x, frozen_var head, var<std::int32_t> targets, var<T> scale,
                                     bool gradient = true) {
  const var<T> loss = t.template apply<linear_cross_entropy_op, T>(
      {.gradient = gradient && t.how() != recording::forward}, {x, head, targets, scale});
  return {loss, t.output(loss, 1)};
}

}  // namespace mor1e::ops
