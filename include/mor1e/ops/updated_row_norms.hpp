// Norms of the rows of frozen weights with a low-rank update, without the updated weights.
#pragma once

#include <algorithm>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// n_p = norms of the rows of W_p + s U_p A_p, from |w|^2 + 2 s <u, A w> + s^2 <u, A A^T u> for each row w of W, u of U
///   W_p [m_p, in] frozen; squares |w|^2 of all rows [1, sum m_p]; A = A_0 over A_1 over ... [sum r_p (or more), in];
///   U_p [m_p, r_p]
///   -> [n_0 | n_1 | ...] [1, sum m_p]
/// r_p 0: the norms of W_p itself. The product W_p A_p^T costs r_p / T of that with x.
struct updated_row_norms_op {
  static constexpr const char* label = "updated_row_norms";
  static constexpr const char* no_gradient = "the norms of DoRA are constants of its backward";
  struct attributes {
    int parts = 1;
    double scale = 1;
  };

  static signature shape(const attributes& a, operands in) {
    const operand &squares = in[a.parts], &down = in[a.parts + 1];
    index_t outputs = 0, rank = 0, largest_rank = 0, largest = 0;
    for (int p = 0; p < a.parts; ++p) {
      const operand &w = in[p], &u = in[a.parts + 2 + p];
      check(w.rows == u.rows, label, "outputs differ: ", describe("w", w, "out", "in"), ", ",
            describe("u", u, "out", "rank"));
      check(w.cols == down.cols, label, "inputs differ: ", describe("w", w, "out", "in"), ", ",
            describe("a", down, "rank", "in"));
      outputs += w.rows, rank += u.cols;
      largest = std::max(largest, w.rows), largest_rank = std::max(largest_rank, u.cols);
    }
    check(squares.rows == 1 && squares.cols == outputs, label, "one square a row: ", describe("squares", squares), "; ",
          outputs, " outputs");
    check(down.rows >= rank, label, "ranks do not fit: ", describe("a", down, "rank", "in"), "; those of u sum to ",
          rank);
    return {.outputs = {{1, outputs}}, .forward_scratch = {{largest_rank, largest}, {largest_rank, largest_rank}}};
  }

  template <class B, class T>
  requires HasFrozenGemm<B, T> && HasRowNorms<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    const T s = T(a.scale);
    for (int p = 0, out = 0, rank = 0; p < a.parts; ++p) {
      const auto& w = c.template object<typename B::template frozen<T>>(p);
      const view_of<B, const T> u = c.in(a.parts + 2 + p), down = c.in(a.parts + 1).row_range(rank, u.cols);
      const view_of<B, T> d = c.scratch(0).row_range(0, u.cols).col_range(0, w.rows()),
                          gram = c.scratch(1).row_range(0, u.cols).col_range(0, u.cols);
      if (u.cols > 0) {
        // d = 2 s A W^T + s^2 A A^T U^T
        frozen_gemm(c.device(), backend::transpose::yes, down, w, T(0), d, backend::operand_rounding::avoided);
        gemm(c.device(), backend::transpose::no, backend::transpose::yes, T(1), down, down, T(0), gram);
        gemm(c.device(), backend::transpose::no, backend::transpose::yes, s * s, view_of<B, const T>(gram), u, 2 * s,
             d);
      }
      updated_row_norms(c.device(), c.in(a.parts).col_range(out, w.rows()), u, view_of<B, const T>(d),
                        c.out().col_range(out, w.rows()));
      out += int(w.rows()), rank += int(u.cols);
    }
  }

  static cost work(const attributes& a, operands in, bool) {
    cost sum;
    for (int p = 0; p < a.parts; ++p) {
      const double m = double(in[p].rows), n = double(in[p].cols), r = double(in[a.parts + 2 + p].cols);
      sum.flops += 2 * m * n * r + 2 * n * r * r + 2 * m * r * r;
      sum.bytes += 4 * (m * n + r * n + 2 * m * r);
    }
    return sum;
  }

  static std::vector<op_case<updated_row_norms_op>> cases() {
    const auto w = [](index_t m, index_t n) {
      return case_input{.rows = m, .cols = n, .gradient = false, .frozen = true};
    };
    // Squares that no update makes negative: they are not those of the drawn W.
    const auto squares = [](index_t m) { return case_input{1, m, 40, 50}; };
    return {{.name = "one", .inputs = {w(1, 1), squares(1), {1, 1}, {1, 1}}},
            {.name = "rank", .attributes = {.scale = 0.5}, .inputs = {w(4, 5), squares(4), {2, 5}, {4, 2}}},
            {.name = "group",
             .attributes = {.parts = 3, .scale = 2},
             .inputs = {w(4, 5), w(3, 5), w(6, 5), squares(13), {4, 5}, {4, 2}, {3, 0}, {6, 2}}},
            {.name = "outputs", .inputs = {w(4, 5), squares(4), {2, 5}, {3, 2}}, .must_throw = true},
            {.name = "inputs", .inputs = {w(4, 5), squares(4), {2, 4}, {4, 2}}, .must_throw = true},
            {.name = "squares", .inputs = {w(4, 5), squares(3), {2, 5}, {4, 2}}, .must_throw = true},
            {.name = "ranks", .inputs = {w(4, 5), squares(4), {1, 5}, {4, 2}}, .must_throw = true},
            {.name = "1536x576x32", .inputs = {w(1536, 576), squares(1536), {32, 576}, {1536, 32}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> updated_row_norms(tape<B>& t, std::span<const frozen_var> weights, var<T> squares, var<T> down,
                         std::span<const var<T>> ups, double scale) {
  std::vector<operand> in(weights.begin(), weights.end());
  in.push_back(squares);
  in.push_back(down);
  in.insert(in.end(), ups.begin(), ups.end());
  return t.template apply<updated_row_norms_op, T>({int(weights.size()), scale}, in);
}

}  // namespace mor1e::ops
