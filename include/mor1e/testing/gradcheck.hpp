// Gradients against central differences, and one back end against another.
#pragma once

#include <cmath>

#include "mor1e/testing/cases.hpp"

namespace mor1e::testing {

/// The largest deviation found, relative to the largest element of its tensor, and where.
struct deviation {
  double relative = 0;
  int input = -1;  ///< -1: the output
  index_t at = 0;
  double ours = 0, reference = 0;

  std::string str() const {
    return text(input < 0 ? std::string("output") : text("gradient of input ", input), " at ", at, ": ", ours, " for ",
                reference, ", relative ", relative);
  }
};

namespace detail {
inline void compare(const tensor<double>& ours, const tensor<double>& reference, int input, deviation& worst) {
  double largest = 1e-3;  // below it a relative error says nothing
  for (double v : reference) largest = std::max(largest, std::abs(v));
  for (index_t i = 0; i < reference.size(); ++i) {
    const double off = std::abs(ours[i] - reference[i]) / largest;
    if (!(off <= worst.relative)) worst = {std::isnan(off) ? INFINITY : off, input, i, ours[i], reference[i]};
  }
}
}  // namespace detail

/// Analytic gradients of <y, cotangent> in double on `device` against central differences, for every wanted input.
template <class Op, class B>
deviation gradient_deviation(B& device, const op_case<Op>& c, std::uint64_t seed = 1) {
  drawn_case drawn = draw(c, seed);
  const case_result analytic = run_case<Op, double>(device, c, drawn, true);
  const auto objective = [&] {
    const case_result r = run_case<Op, double>(device, c, drawn, false);
    double sum = 0;
    for (index_t i = 0; i < r.output.size(); ++i)
      sum += r.output[i] * (uniform<double>(drawn.cotangent_key, i) * 2 - 1);
    return sum;
  };
  deviation worst;
  for (std::size_t k = 0; k < drawn.inputs.size(); ++k) {
    if (analytic.gradients[k].empty()) continue;
    tensor<double> numeric(drawn.inputs[k].extents());
    for (index_t i = 0; i < numeric.size(); ++i) {
      double& x = drawn.inputs[k][i];
      const double at = x, h = 1e-5 * std::max(1.0, std::abs(at));
      x = at + h;
      const double above = objective();
      x = at - h;
      const double below = objective();
      x = at;
      numeric[i] = (above - below) / (2 * h);
    }
    detail::compare(analytic.gradients[k], numeric, int(k), worst);
  }
  return worst;
}

/// Output and gradients of element type T on `device` against `oracle` in the same type.
template <class Op, class T, class B, class Oracle>
deviation parity_deviation(B& device, Oracle& oracle, const op_case<Op>& c, std::uint64_t seed = 1) {
  const drawn_case drawn = draw(c, seed);
  const case_result ours = run_case<Op, T>(device, c, drawn, !WithoutGradient<Op>);
  const case_result reference = run_case<Op, T>(oracle, c, drawn, !WithoutGradient<Op>);
  deviation worst;
  detail::compare(ours.output, reference.output, -1, worst);
  for (std::size_t k = 0; k < reference.gradients.size(); ++k)
    if (!reference.gradients[k].empty()) detail::compare(ours.gradients[k], reference.gradients[k], int(k), worst);
  return worst;
}

}  // namespace mor1e::testing
