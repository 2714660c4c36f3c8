// Cross entropy of logits against target classes.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// loss = scale sum_i nll_i, nll_i = log sum_j exp(logits_ij) - logits_i,target(i)
///   logits [A, V], targets int32 [A, 1], scale [1, 1] or none  ->  loss [1, 1], nll [A, 1]
/// A row with target -1 is ignored: nll 0, no gradient. Without `scale` the loss is the mean over the rows that are not
/// ignored, 0 if all are. `scale` (1 / answer tokens of several batches, say) and nll have no gradient.
/// Saves lse [A, 1] and the scale; the backward reads the logits: dlogits = scale dloss (softmax - onehot).
/// Throws a value_error for an input with a target past the last class.
struct cross_entropy_op {
  static constexpr const char* label = "cross_entropy";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols > 0, label, "a row must not be empty: ", describe("logits", in[0], "answers", "classes"));
    check(in[1].rows == in[0].rows && in[1].cols == 1, label,
          "one target a row: ", describe("logits", in[0], "answers", "classes"), ", ",
          describe("targets", in[1], "answers"));
    if (in.size() > 2) check(in[2].rows == 1 && in[2].cols == 1, label, "one number: ", describe("scale", in[2]));
    return {.outputs = {{1, 1}, {in[0].rows, 1}},
            .saved = {{in[0].rows, 1}, {1, 1}},
            .backward_scratch = {{1, 1}},
            .backward_reads = reads(0) | reads(1),
            .indices = {{.input = 1, .end = in[0].cols}}};
  }

  template <class B, class T>
  requires HasCrossEntropy<B, T> && HasAxpby<B, T>
  static void forward(call<B, T> c, const attributes&) {
    const view_of<B, T> loss = c.out(0), nll = c.out(1), scale = c.saved(1);
    const view_of<B, const std::int32_t> targets = c.template in_as<std::int32_t>(1);
    if (c.inputs() > 2)
      axpby(c.device(), T(1), c.in(2), T(0), scale);
    else
      target_share(c.device(), targets, scale);
    cross_entropy_forward(c.device(), c.in(0), targets, nll, c.saved(0));
    sum(c.device(), view_of<B, const T>(nll), T(0), loss);
    multiply(c.device(), view_of<B, const T>(loss), view_of<B, const T>(scale), T(0), loss);
  }

  template <class B, class T>
  requires HasCrossEntropy<B, T> && HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes&) {
    require<error>(!c.grad_out(1).address(), label, ": nll has no gradient, use the loss");
    const auto dx = c.grad_in(0);
    const view_of<B, T> factor = c.scratch();
    multiply(c.device(), c.grad_out(0), view_of<B, const T>(c.saved(1)), T(0), factor);
    cross_entropy_backward(c.device(), c.in(0), c.template in_as<std::int32_t>(1), view_of<B, const T>(c.saved(0)),
                           view_of<B, const T>(factor), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 16 : 16) * n, (backward ? 2 : 1) * n * 4};
  }

  static std::vector<op_case<cross_entropy_op>> cases() {
    const auto targets = [](std::vector<std::int32_t> t) {
      return case_input{.rows = index_t(t.size()), .cols = 1, .integers = t};
    };
    const case_input scale{.rows = 1, .cols = 1, .low = 0.5, .high = 1.5, .gradient = false};
    return {{.name = "one", .inputs = {{1, 1}, targets({0}), scale}},
            {.name = "row", .inputs = {{1, 19}, targets({18}), scale}},
            {.name = "ignored", .inputs = {{4, 5, -3, 3}, targets({2, -1, 0, -1}), scale}},
            {.name = "all_ignored", .inputs = {{2, 3}, targets({-1, -1}), scale}},
            {.name = "mean", .inputs = {{4, 5, -3, 3}, targets({2, 4, 0, 1})}},
            {.name = "mean_ignored", .inputs = {{4, 5, -3, 3}, targets({2, -1, 0, -1})}},
            {.name = "mean_all_ignored", .inputs = {{2, 3}, targets({-1, -1})}},
            {.name = "large_logits", .inputs = {{3, 5, 80, 90}, targets({1, 4, 0}), scale}},
            {.name = "targets", .inputs = {{3, 5}, targets({1, 4}), scale}, .must_throw = true},
            {.name = "scales", .inputs = {{1, 5}, targets({1}), {1, 2}}, .must_throw = true},
            {.name = "512x32768",
             .inputs = {{512, 32768}, targets(std::vector<std::int32_t>(512, 7)), scale},
             .benchmark = true}};
  }
};

/// A loss, and the negative log likelihood of each row it is made of (0 where ignored).
template <class T>
struct loss_and_nll {
  var<T> loss, nll;
};

template <class B, class T>
loss_and_nll<T> cross_entropy(tape<B>& t, var<T> logits, var<std::int32_t> targets, var<T> scale) {
  const var<T> loss = t.template apply<cross_entropy_op, T>({}, {logits, targets, scale});
  return {loss, t.output(loss, 1)};
}

/// The mean over the rows whose target is not -1.
template <class B, class T>
var<T> cross_entropy(tape<B>& t, var<T> logits, var<std::int32_t> targets) {
  return t.template apply<cross_entropy_op, T>({}, {logits, targets});
}

template <class B, class T>
value<B, T> cross_entropy(value<B, T> logits, value<B, std::int32_t> targets) {
  return on(logits.tape(), cross_entropy(logits.tape(), logits.var(), targets.var()));
}

}  // namespace mor1e::ops
