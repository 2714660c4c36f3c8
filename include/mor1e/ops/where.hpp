// A choice between two matrices, element by element.
#pragma once

#include "mor1e/ops/value_operands.hpp"
#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a where mask > 0, else b; what is not chosen does not count, be it NaN. da = dy where mask > 0, else 0; db the
/// other way round; the mask, of 0 and 1 as by ops/greater.hpp, gets no gradient. A row, a column or a number is
/// repeated.
///   mask, a, b of [T, n], [1, n], [T, 1] or [1, 1] -> y [T, n]
struct where_op {
  static constexpr const char* label = "where";
  using attributes = no_attributes;

  /// The part of dy that goes to a (Chosen) or to b; the second operand gives the shape alone.
  template <bool Chosen>
  struct share {
    template <class T>
    MOR1E_HD static T f(T mask, T) {
      return (mask > T(0)) == Chosen ? T(1) : T(0);
    }
  };

  static signature shape(const attributes&, operands in) {
    const slot_size ab = repeated_shape(label, in[1], in[2]);
    const slot_size y = repeated_shape(label, in[0], var<float>{no_slot, ab.rows, ab.cols, 0}, "mask", "a or b");
    return {.outputs = {y}, .backward_reads = reads(0), .cheap = true, .in_place = replaced_input(y, in)};
  }

  template <class B, class T>
  requires HasSelect<B, T>
  static void forward(call<B, T> c, const attributes&) { select(c.device(), c.in(0), c.in(1), c.in(2), c.out()); }

  template <class B, class T>
  requires HasZip<B, T, share<true>> && HasRescale<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const view_of<B, const T> mask = c.in(0), dy = c.grad_out();
    if (const auto dm = c.grad_in(0)) rescale(c.device(), dm.beta(), dm.to);
    if (const auto da = c.grad_in(1)) zip_backward(c.device(), share<true>{}, mask, dy, dy, da.beta(), da.to);
    if (const auto db = c.grad_in(2)) zip_backward(c.device(), share<false>{}, mask, dy, dy, db.beta(), db.to);
  }

  static cost work(const attributes& a, operands in, bool backward) {
    const slot_size y = shape(a, in).outputs[0];
    const double n = double(y.rows * y.cols);
    return {(backward ? 2 : 1) * n, (backward ? 6 : 4) * n * 4};
  }

  static std::vector<op_case<where_op>> cases() {
    const auto mask = [](index_t rows, index_t cols, double low = -1, double high = 1) {
      return case_input{.rows = rows, .cols = cols, .low = low, .high = high, .gradient = false};
    };
    return {{.name = "one", .inputs = {mask(1, 1), {1, 1}, {1, 1}}},
            {.name = "some", .inputs = {mask(5, 19), {5, 19}, {5, 19}}},
            {.name = "all", .inputs = {mask(4, 3, 1, 1), {4, 3}, {4, 3}}},
            {.name = "none", .inputs = {mask(4, 3, 0, 0), {4, 3}, {4, 3}}},
            {.name = "mask_of_a_row", .inputs = {mask(1, 19), {5, 19}, {5, 19}}},
            {.name = "mask_of_a_column", .inputs = {mask(7, 1), {7, 3}, {7, 3}}},
            {.name = "mask_of_a_number", .inputs = {mask(1, 1), {5, 3}, {1, 3}}},
            {.name = "a_number", .inputs = {mask(5, 19), {5, 19}, {1, 1}}},
            {.name = "row_and_column", .inputs = {mask(5, 3), {1, 3}, {5, 1}}},
            {.name = "mask_alone_is_whole", .inputs = {mask(5, 3), {1, 1}, {1, 1}}},
            {.name = "every_axis_from_another", .inputs = {mask(6, 1), {1, 1}, {1, 5}}},
            {.name = "one_gradient", .inputs = {mask(3, 2), {3, 2}, {.rows = 3, .cols = 2, .gradient = false}}},
            {.name = "a_and_b_differ", .inputs = {mask(4, 5), {4, 5}, {3, 5}}, .must_throw = true},
            {.name = "mask_differs", .inputs = {mask(3, 5), {4, 5}, {4, 5}}, .must_throw = true},
            {.name = "2048x576", .inputs = {mask(2048, 576), {2048, 576}, {2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> where(tape<B>& t, var<T> mask, var<T> a, var<T> b) {
  return t.template apply<where_op, T>({}, {mask, a, b});
}

/// a and b may be numbers.
template <class B, class T, class X, class Y>
requires(Value<X> || Number<X>) && (Value<Y> || Number<Y>)value<B, T> where(value<B, T> mask, const X& a, const Y& b) {
  return on(mask.tape(), where(mask.tape(), mask.var(), beside(mask, a).var(), beside(mask, b).var()));
}

}  // namespace mor1e::ops
