// A group of frozen linears that read the same input, with room for a low-rank update in the same pass.
#pragma once

#include <array>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_p = x W_p^T (+ b_p) (+ scale g_p U_p^T), y = [y_0 | y_1 | ...]
///   x [T, n]; W_p [m_p, n] frozen; b_p [1, m_p] frozen; g = [g_0 | g_1 | ...] [T, sum r_p]; U_p [m_p, r_p]  ->  y [T,
///   sum m_p]
/// Nothing is kept for W. dx = sum_p dy_p W_p; dg_p = scale dy_p U_p; dU_p = scale dy_p^T g_p.
/// The update is added by the GEMM into W x, so an adapted linear makes no second [T, m] tensor.
struct frozen_linear_op {
  static constexpr const char* label = "frozen_linear";
  static constexpr int max_parts = 4;
  struct attributes {
    int parts = 1;
    bool bias = false;    ///< one bias a part follows the weights
    bool update = false;  ///< g and one U a part follow
    double scale = 1;
    backend::operand_rounding rounding = backend::operand_rounding::allowed;  ///< in the products with W
  };

  static int first_bias(const attributes& a) { return 1 + a.parts; }
  static int gates(const attributes& a) { return first_bias(a) + (a.bias ? a.parts : 0); }
  static int first_up(const attributes& a) { return gates(a) + 1; }

  static signature shape(const attributes& a, operands in) {
    check(a.parts >= 1 && a.parts <= max_parts, label, "1 to ", max_parts, " linears share an input, not ", a.parts);
    index_t outputs = 0, rank = 0;
    std::uint64_t needed = 0;
    for (int p = 0; p < a.parts; ++p) {
      const operand& w = in[1 + p];
      check(in[0].cols == w.cols, label, "inner dimensions differ: ", describe("x", in[0], "tokens", "in"), ", ",
            describe("w", w, "out", "in"), "; ", in[0].cols, " != ", w.cols);
      if (a.bias) {
        const operand& b = in[first_bias(a) + p];
        check(b.rows == 1 && b.cols == w.rows, label, "one bias an output: ", describe("w", w, "out", "in"), ", ",
              describe("b", b));
      }
      if (a.update) {
        const operand& u = in[first_up(a) + p];
        check(u.rows == w.rows, label, "outputs differ: ", describe("w", w, "out", "in"), ", ",
              describe("u", u, "out", "rank"));
        rank += u.cols;
        needed |= reads(first_up(a) + p);
      }
      outputs += w.rows;
    }
    if (a.update) {
      const operand& g = in[gates(a)];
      check(g.rows == in[0].rows && g.cols == rank, label, "gates do not fit: ", describe("x", in[0], "tokens", "in"),
            ", ", describe("g", g, "tokens", "rank"), "; the ranks of u sum to ", rank);
      needed |= reads(gates(a));
    }
    return {.outputs = {{in[0].rows, outputs}}, .backward_reads = needed};
  }

  /// f(p, first column of part p in y, first column in g)
  template <class B, class T, class F>
  static void each(call<B, T> c, const attributes& a, F f) {
    index_t out = 0, rank = 0;
    for (int p = 0; p < a.parts; ++p) {
      const auto& w = c.template object<typename B::template frozen<T>>(1 + p);
      f(p, w, out, rank);
      out += w.rows();
      if (a.update) rank += c.in(first_up(a) + p).cols;
    }
  }

  template <class B, class T>
  requires HasFrozenGemm<B, T> && HasBias<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    each(c, a, [&](int p, const auto& w, index_t out, index_t rank) {
      const view_of<B, T> y = c.out().col_range(out, w.rows());
      frozen_gemm(c.device(), backend::transpose::yes, c.in(0), w, T(0), y, a.rounding);
      if (a.bias) add_bias(c.device(), c.in(first_bias(a) + p), y);
      if (!a.update) return;
      const view_of<B, const T> u = c.in(first_up(a) + p);
      gemm(c.device(), backend::transpose::no, backend::transpose::yes, T(a.scale),
           c.in(gates(a)).col_range(rank, u.cols), u, T(1), y);
    });
  }

  template <class B, class T>
  requires HasFrozenGemm<B, T> && HasBias<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    each(c, a, [&](int p, const auto& w, index_t out, index_t rank) {
      const view_of<B, const T> dy = c.grad_out().col_range(out, w.rows());
      if (const auto dx = c.grad_in(0))
        frozen_gemm(c.device(), backend::transpose::no, dy, w, p == 0 ? dx.beta() : T(1), dx.to, a.rounding);
      if (!a.update) return;
      const int up = first_up(a) + p;
      const view_of<B, const T> u = c.in(up), g = c.in(gates(a)).col_range(rank, u.cols);
      if (const auto dg = c.grad_in(gates(a)))
        gemm(c.device(), backend::transpose::no, backend::transpose::no, T(a.scale), dy, u, dg.beta(),
             dg.to.col_range(rank, u.cols));
      if (const auto du = c.grad_in(up))
        gemm(c.device(), backend::transpose::yes, backend::transpose::no, T(a.scale), dy, g, du.beta(), du.to);
    });
  }

  static cost work(const attributes& a, operands in, bool backward) {
    const double t = double(in[0].rows), n = double(in[0].cols);
    cost sum;
    for (int p = 0; p < a.parts; ++p) {
      const double m = double(in[1 + p].rows), r = a.update ? double(in[first_up(a) + p].cols) : 0;
      sum.flops += 2 * t * n * m + (backward ? 4 : 2) * t * m * r;
      sum.bytes += 4 * (t * n + n * m + t * m);
    }
    return sum;
  }

  static std::vector<op_case<frozen_linear_op>> cases() {
    const auto w = [](index_t m, index_t n) {
      return case_input{.rows = m, .cols = n, .gradient = false, .frozen = true};
    };
    const auto b = [](index_t m) { return case_input{.rows = 1, .cols = m, .gradient = false}; };
    return {
        {.name = "one", .inputs = {{1, 1}, w(1, 1)}},
        {.name = "single", .inputs = {{4, 5}, w(3, 5)}},
        {.name = "group", .attributes = {.parts = 3}, .inputs = {{4, 5}, w(3, 5), w(2, 5), w(1, 5)}},
        {.name = "bias", .attributes = {.parts = 2, .bias = true}, .inputs = {{4, 5}, w(3, 5), w(2, 5), b(3), b(2)}},
        {.name = "update", .attributes = {.update = true, .scale = 0.5}, .inputs = {{4, 5}, w(3, 5), {4, 2}, {3, 2}}},
        {.name = "everything",
         .attributes = {.parts = 2, .bias = true, .update = true, .scale = 2},
         .inputs = {{6, 5}, w(3, 5), w(4, 5), b(3), b(4), {6, 5}, {3, 2}, {4, 3}}},
        {.name = "inner", .inputs = {{4, 5}, w(3, 4)}, .must_throw = true},
        {.name = "gates",
         .attributes = {.update = true},
         .inputs = {{4, 5}, w(3, 5), {4, 3}, {3, 2}},
         .must_throw = true},
        {.name = "2048x576x576", .inputs = {{2048, 576}, w(576, 576)}, .benchmark = true},
        {.name = "2048x576x1536_rank32",
         .attributes = {.update = true, .scale = 0.5},
         .inputs = {{2048, 576}, w(1536, 576), {2048, 32}, {1536, 32}},
         .benchmark = true}};
  }
};

/// The frozen linears of one group: `weights` [m_p, n]; `biases` empty or one a weight.
template <class B, class T>
var<T> frozen_linear(tape<B>& t, var<T> x, std::span<const frozen_var> weights, std::span<const var<T>> biases = {},
                     backend::operand_rounding rounding = backend::operand_rounding::allowed) {
  std::vector<operand> in{x};
  in.insert(in.end(), weights.begin(), weights.end());
  in.insert(in.end(), biases.begin(), biases.end());
  return t.template apply<frozen_linear_op, T>(
      {.parts = int(weights.size()), .bias = !biases.empty(), .rounding = rounding}, in);
}

/// The same with the update scale * g_p U_p^T added to each part.
template <class B, class T>
var<T> adapted_linear(tape<B>& t, var<T> x, std::span<const frozen_var> weights, std::span<const var<T>> biases,
                      var<T> gates, std::span<const var<T>> ups, double scale) {
  std::vector<operand> in{x};
  in.insert(in.end(), weights.begin(), weights.end());
  in.insert(in.end(), biases.begin(), biases.end());
  in.push_back(gates);
  in.insert(in.end(), ups.begin(), ups.end());
  return t.template apply<frozen_linear_op, T>(
      {.parts = int(weights.size()), .bias = !biases.empty(), .update = true, .scale = scale}, in);
}

}  // namespace mor1e::ops
