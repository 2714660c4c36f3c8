// Token embeddings from a frozen table.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_i = scale table[ids_i]                                    table [V, d] frozen, ids int32 [T, 1] -> y [T, d]
/// `scale` is sqrt(d) for Gemma. An id of -1 (padding) gives a row of zeros. Throws a value_error for an input with an
/// id past the end.
struct frozen_embedding_op {
  static constexpr const char* label = "frozen_embedding";
  static constexpr const char* no_gradient = "neither a frozen table nor integers have one";
  struct attributes {
    double scale = 1;
  };

  static signature shape(const attributes&, operands in) {
    check(in[1].cols == 1, label, "one id a token: ", describe("ids", in[1], "tokens"));
    return {.outputs = {{in[1].rows, in[0].cols}}, .indices = {{.input = 1, .end = in[0].rows}}};
  }

  template <class B, class T>
  requires HasFrozenGather<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    frozen_gather(c.device(), T(a.scale), c.template object<typename B::template frozen<T>>(0),
                  c.template in_as<std::int32_t>(1), c.out());
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[1].rows * in[0].cols);
    return {n, 2 * n * 4};
  }

  static std::vector<op_case<frozen_embedding_op>> cases() {
    const auto table = [](index_t v, index_t d) {
      return case_input{.rows = v, .cols = d, .gradient = false, .frozen = true};
    };
    const auto ids = [](std::vector<std::int32_t> i) {
      return case_input{.rows = index_t(i.size()), .cols = 1, .integers = i};
    };
    return {
        {.name = "one", .inputs = {table(1, 1), ids({0})}},
        {.name = "tokens", .attributes = {.scale = 2}, .inputs = {table(5, 19), ids({4, 0, 4, -1})}},
        {.name = "pairs",
         .inputs = {table(4, 3), {.rows = 2, .cols = 2, .integers = {0, 1, 2, 3}}},
         .must_throw = true},
        {.name = "2048x576", .inputs = {table(8192, 576), ids(std::vector<std::int32_t>(2048, 7))}, .benchmark = true}};
  }
};

template <class T, class B>
var<T> frozen_embedding(tape<B>& t, frozen_var table, var<std::int32_t> ids, double scale = 1) {
  return t.template apply<frozen_embedding_op, T>({scale}, {table, ids});
}

}  // namespace mor1e::ops
