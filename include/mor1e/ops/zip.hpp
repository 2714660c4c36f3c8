// Base of ops that are a function of two elements, one of each operand.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/math.hpp"
#include "mor1e/ops/value_operands.hpp"

namespace mor1e::ops {

/// The shape of f(a, b), to which a row [1, n], a column [T, 1] or a single number [1, 1] is repeated. Throws a
/// shape_error naming both where an axis has two lengths and neither is one.
inline slot_size repeated_shape(const char* label, const operand& a, const operand& b, const char* name_a = "a",
                                const char* name_b = "b") {
  const auto fits = [](index_t m, index_t n) { return m == n || m == 1 || n == 1; };
  check(fits(a.rows, b.rows) && fits(a.cols, b.cols), label, "shapes differ: ", describe(name_a, a), ", ",
        describe(name_b, b));
  return {a.rows == 1 ? b.rows : a.rows, a.cols == 1 ? b.cols : a.cols};
}

inline bool has_size(const operand& x, const slot_size& y) { return x.rows == y.rows && x.cols == y.cols; }

/// The input whose place y may take: the first of y's shape.
inline int replaced_input(const slot_size& y, operands in) {
  for (int k = 0; k < int(in.size()); ++k)
    if (has_size(in[k], y)) return k;
  return -1;
}

/// The derivative of Op by its operand K, as a function of both.
template <class Op, int K>
struct zip_derivative {
  template <class T>
  MOR1E_HD static T f(T a, T b) {
    const T y = Op::f(a, b);
    return K == 0 ? Op::da(a, b, y) : Op::db(a, b, y);
  }
};

/// y = f(a, b), da = dy df/da, db = dy df/db; an operand of one row, one column or both is repeated, and its gradient
/// is the sum over what it was repeated for.                            a, b of [T, n], [1, n], [T, 1] or [1, 1] -> y
/// [T, n] The op gives
///   static constexpr const char* label;
///   template <class T> static T f(T a, T b);
///   template <class T> static T da(T a, T b, T y);    // df/da, given y = f(a, b)
///   template <class T> static T db(T a, T b, T y);
/// without branches, through core/math.hpp, so that loops over them vectorise. Where da reads neither a nor b, nor does
/// db, it says so by `backward_reads = 0`, and their values need not be kept.
template <class Op>
struct zip {
  using attributes = no_attributes;
  static constexpr std::uint64_t backward_reads = reads(0) | reads(1);

  static signature shape(const attributes&, operands in) {
    const slot_size y = repeated_shape(Op::label, in[0], in[1]);
    return {.outputs = {y}, .backward_reads = Op::backward_reads, .cheap = true, .in_place = replaced_input(y, in)};
  }

  template <class B, class T>
  requires HasZip<B, T, Op>
  static void forward(call<B, T> c, const attributes&) {
    zip_forward(c.device(), Op{}, c.in(0), c.in(1), T(0), c.out());
  }

  template <class B, class T>
  requires HasZip<B, T, Op>
  static void backward(call<B, T> c, const attributes&) {
    constexpr bool values = Op::backward_reads != 0;  // otherwise dy stands in for memory that may be gone
    const view_of<B, const T> dy = c.grad_out(), a = values ? c.in(0) : dy, b = values ? c.in(1) : dy;
    if (const auto da = c.grad_in(0)) zip_backward(c.device(), zip_derivative<Op, 0>{}, a, b, dy, da.beta(), da.to);
    if (const auto db = c.grad_in(1)) zip_backward(c.device(), zip_derivative<Op, 1>{}, a, b, dy, db.beta(), db.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const slot_size y = repeated_shape(Op::label, in[0], in[1]);
    const double n = double(y.rows * y.cols);
    return {(backward ? 6 : 2) * n, (backward ? 8 : 3) * n * 4};
  }

  static std::vector<op_case<Op>> cases() { return cases_on(-1, 1, -1, 1); }

 protected:
  /// Every way of repeating an operand, elements of a in [low_a, high_a], of b in [low_b, high_b].
  static std::vector<op_case<Op>> cases_on(double low_a, double high_a, double low_b, double high_b) {
    std::vector<op_case<Op>> out;
    const auto add = [&](const char* name, slot_size a, slot_size b, bool refused = false, bool measured = false) {
      out.push_back({.name = name,
                     .inputs = {{a.rows, a.cols, low_a, high_a}, {b.rows, b.cols, low_b, high_b}},
                     .benchmark = measured,
                     .must_throw = refused});
    };
    add("one", {1, 1}, {1, 1});
    add("rows", {5, 19}, {5, 19});
    add("with_a_row", {5, 3}, {1, 3});
    add("with_a_column", {5, 19}, {5, 1});
    add("with_a_number", {5, 19}, {1, 1});
    add("of_a_row", {1, 19}, {5, 19});
    add("of_a_column", {4, 1}, {4, 3});
    add("of_a_number", {1, 1}, {4, 3});
    add("row_and_column", {1, 19}, {7, 1});
    add("column_and_row", {7, 1}, {1, 19});
    add("row_and_number", {1, 5}, {1, 1});
    add("number_and_column", {1, 1}, {6, 1});
    add("tall_and_row", {70, 2}, {1, 2});
    add("no_rows", {0, 3}, {1, 3});
    out.push_back(
        {.name = "one_gradient",
         .inputs = {{3, 2, low_a, high_a}, {.rows = 1, .cols = 2, .low = low_b, .high = high_b, .gradient = false}}});
    add("rows_differ", {4, 5}, {3, 5}, true);
    add("columns_differ", {4, 5}, {4, 2}, true);
    add("row_of_other_length", {4, 5}, {1, 4}, true);
    add("2048x576", {2048, 576}, {2048, 576}, false, true);
    add("2048x576_and_row", {2048, 576}, {1, 576}, false, true);
    return out;
  }
};

}  // namespace mor1e::ops
