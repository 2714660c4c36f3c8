// Cosines and sines of the rotary angles of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/rotary_frequencies.hpp"

namespace mor1e::ops {

/// table_t = scaling [cos angle_0 ... cos angle_{r/2-1} | sin angle_0 ...], angle_i = position_t frequencies.at(i), in
/// double
///   positions int32 [T, 1] -> table [T, r], r = frequencies.dim
/// Source: Su et al. 2021, eq. 15; the halves lie one after the other as the rotary op pairs them.
struct rotary_table_op {
  static constexpr const char* label = "rotary_table";
  static constexpr const char* no_gradient = "positions are integers";
  struct attributes {
    rotary_frequencies frequencies = {};
    double scaling = 1;  ///< of the table, so of queries and keys alike (YaRN's attention factor)
  };

  static signature shape(const attributes& a, operands in) {
    check(in[0].cols == 1, label, "one position a row: ", describe("positions", in[0], "tokens"));
    const int dim = a.frequencies.dim;
    check(dim > 0 && dim % 2 == 0, label, "angles turn pairs, the dimension is ", dim);
    return {.outputs = {{in[0].rows, dim}}};
  }

  template <class B, class T>
  requires HasRotary<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    rotary_angles(c.device(), c.template in_as<std::int32_t>(0), a.frequencies, a.scaling, c.out());
  }

  static cost work(const attributes& a, operands in, bool) {
    const double n = double(in[0].rows) * a.frequencies.dim;
    return {20 * n, 4 * n};
  }

  static std::vector<op_case<rotary_table_op>> cases() {
    const auto positions = [](std::vector<std::int32_t> p) {
      return case_input{.rows = index_t(p.size()), .cols = 1, .integers = p};
    };
    std::vector<std::int32_t> many(2048);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = std::int32_t(i);
    return {
        {.name = "one", .inputs = {positions({3})}},
        {.name = "far",
         .attributes = {.frequencies = {.theta = 1e5, .dim = 6}, .scaling = 1.2},
         .inputs = {positions({0, 1, 100, 8191, 131071})}},
        {.name = "linear",
         .attributes = {.frequencies = {.dim = 4, .scaling = rotary_scaling::linear, .factor = 4}},
         .inputs = {positions({0, 5, 4096})}},
        {.name = "llama3",
         .attributes = {.frequencies =
                            {.theta = 5e5, .dim = 64, .scaling = rotary_scaling::llama3, .factor = 8, .context = 8192}},
         .inputs = {positions({1, 100, 131071})}},
        {.name = "yarn",
         .attributes =
             {.frequencies =
                  {.dim = 64, .scaling = rotary_scaling::yarn, .factor = 4, .context = 2048, .slow = 1, .fast = 32},
              .scaling = 1.14},
         .inputs = {positions({1, 100, 8191})}},
        {.name = "odd", .attributes = {.frequencies = {.dim = 3}}, .inputs = {positions({0})}, .must_throw = true},
        {.name = "pairs", .inputs = {{.rows = 1, .cols = 2, .integers = {0, 1}}}, .must_throw = true},
        {.name = "2048x64",
         .attributes = {.frequencies = {.dim = 64}},
         .inputs = {positions(many)},
         .benchmark = true}};
  }
};

/// A table of T for the positions of the rows.
template <class T, class B>
var<T> rotary_table(tape<B>& t, var<std::int32_t> positions, const rotary_frequencies& frequencies,
                    double scaling = 1) {
  return t.template apply<rotary_table_op, T>({frequencies, scaling}, {positions});
}

}  // namespace mor1e::ops
