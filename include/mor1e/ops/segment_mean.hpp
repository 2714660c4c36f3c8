// Mean over the rows of each segment.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/segment.hpp"

namespace mor1e::ops {

/// y_s = mean of x_i over the rows i in [begin_s, end_s); zeros for an empty segment
///   x [T, d], segments int32 [S, 5] (core/segment.hpp)  ->  y [S, d]
/// Throws a value_error for an input with a segment that leaves x.
struct segment_mean_op {
  static constexpr const char* label = "segment_mean";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[1].cols == segment_fields, label, segment_fields, " numbers a segment: ", describe("segments", in[1]));
    return {.outputs = {{in[1].rows, in[0].cols}},
            .backward_reads = reads(1),
            .indices = {{.input = 1, .end = in[0].rows + 1, .begin = 0}}};
  }

  template <class B, class T>
  requires HasSegmentMean<B, T>
  static void forward(call<B, T> c, const attributes&) {
    segment_mean_forward(c.device(), c.in(0), c.template in_as<std::int32_t>(1), c.out());
  }

  template <class B, class T>
  requires HasSegmentMean<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    segment_mean_backward(c.device(), c.template in_as<std::int32_t>(1), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {1 * n, 1 * n * 4};
  }

  static std::vector<op_case<segment_mean_op>> cases() {
    const auto segments = [](std::vector<std::int32_t> s) {
      return case_input{.rows = index_t(s.size() / 5), .cols = 5, .integers = s};
    };
    return {{.name = "one", .inputs = {{1, 1}, segments({0, 1, 0, 0, 0})}},
            {.name = "some", .inputs = {{7, 19}, segments({0, 3, 0, 0, 0, 3, 3, 3, 0, 0, 3, 4, 3, 0, 0})}},
            {.name = "overlapping", .inputs = {{4, 2}, segments({0, 3, 0, 0, 0, 1, 4, 0, 0, 0})}},
            {.name = "fields", .inputs = {{4, 2}, {.rows = 1, .cols = 2, .integers = {0, 4}}}, .must_throw = true},
            {.name = "2048x576",
             .inputs = {{2048, 576}, segments({0, 1024, 0, 0, 0, 1024, 2048, 1024, 0, 0})},
             .benchmark = true}};
  }
};

template <class B, class T>
var<T> segment_mean(tape<B>& t, var<T> x, var<std::int32_t> segments) {
  return t.template apply<segment_mean_op, T>({}, {x, segments});
}

}  // namespace mor1e::ops
