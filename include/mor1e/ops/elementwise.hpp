// Base of ops that are a function of one element.
#pragma once

#include <type_traits>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::ops {

/// The function of an op with its attributes.
template <class Op, class Attributes>
struct with_attributes {
  Attributes a;
  template <class T>
  MOR1E_HD T f(T x) const {
    return Op::f(x, a);
  }
  template <class T>
  MOR1E_HD T df(T x, T y) const {
    return Op::df(x, y, a);
  }
};

/// y = f(x), dx = dy f'(x); the backward reads x.                                          x [T, n] -> y [T, n]
/// The op gives
///   static constexpr const char* label;
///   template <class T> static T f(T x);
///   template <class T> static T df(T x, T y);    // f'(x), given y = f(x)
/// without branches, through core/math.hpp, so that loops over them vectorise. With Attributes (a struct), both take it
/// as their last argument. Where df reads neither x nor y it says so by `backward_reads = 0`, and x need not be kept.
template <class Op, class Attributes = no_attributes>
struct elementwise {
  using attributes = Attributes;
  static constexpr std::uint64_t backward_reads = reads(0);
  using function = std::conditional_t<std::is_same_v<Attributes, no_attributes>, Op, with_attributes<Op, Attributes>>;

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = Op::backward_reads, .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasMap<B, T, function>
  static void forward(call<B, T> c, const attributes& a) { map_forward(c.device(), with(a), c.in(0), c.out()); }

  template <class B, class T>
  requires HasMap<B, T, function>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    const view_of<B, const T> dy = c.grad_out();
    // Without a value to read, dy stands in for memory that may be gone.
    map_backward(c.device(), with(a), Op::backward_reads ? c.in(0) : dy, dy, dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 20 : 15) * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<Op>> cases() {
    std::vector<op_case<Op>> out = cases_on(-4, 4);
    out.push_back({.name = "far", .inputs = {{3, 7, -30, 30}}});
    return out;
  }

 protected:
  /// Sizes, with elements in [low, high].
  static std::vector<op_case<Op>> cases_on(double low, double high, const attributes& a = {}) {
    return {{.name = "one", .attributes = a, .inputs = {{1, 1, low, high}}},
            {.name = "row", .attributes = a, .inputs = {{1, 19, low, high}}},
            {.name = "rows", .attributes = a, .inputs = {{5, 3, low, high}}},
            {.name = "column", .attributes = a, .inputs = {{6, 1, low, high}}},
            {.name = "2048x1536", .attributes = a, .inputs = {{2048, 1536, low, high}}, .benchmark = true}};
  }

 private:
  static function with(const attributes& a) {
    if constexpr (std::is_same_v<attributes, no_attributes>)
      return {};
    else
      return {a};
  }
};

}  // namespace mor1e::ops
