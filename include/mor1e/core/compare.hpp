// Comparing results of floating point.
#pragma once

#include <algorithm>
#include <cmath>

#include "mor1e/core/tensor.hpp"

namespace mor1e {

namespace detail {

template <Readable Values>
shape extents_of(const Values& values) {
  if constexpr (requires { values.extents(); })
    return values.extents();
  else
    return {values.rows, values.cols};
}

/// Of two tensors the shapes count; a view is compared with what the other is as a matrix.
template <class A, class B>
bool same_extents(const A& a, const B& b) {
  if constexpr (requires { a.extents() == b.extents(); })
    return a.extents() == b.extents() && a.size() == b.size();
  else
    return read_only(a).rows == read_only(b).rows && read_only(a).cols == read_only(b).cols;
}

}  // namespace detail

/// Whether a and b are of one shape and |a - b| <= absolute + relative |b| for each pair of elements: b is what a
/// should be. Equal infinities are close; a NaN is close to nothing. Elements are compared as double: integers by `==`
/// instead.
template <Readable A, Readable B>
bool all_close(const A& a, const B& b, double relative, double absolute) {
  if (!detail::same_extents(a, b)) return false;
  const auto x = read_only(a);
  const auto y = read_only(b);
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const auto got = double(x(i, j)), wanted = double(y(i, j));
      if (got == wanted) continue;
      // The bound of an infinity is infinite: nothing else may pass it.
      if (!std::isfinite(got) || !std::isfinite(wanted)) return false;
      if (std::abs(got - wanted) > absolute + relative * std::abs(wanted)) return false;
    }
  return true;
}

/// max |a - b| over all pairs of elements, 0 if there are none. Equal infinities differ by 0; a NaN in either makes the
/// result NaN. Throws `shape_error` unless a and b are of one shape.
template <Readable A, Readable B>
double max_abs_difference(const A& a, const B& b) {
  const auto x = read_only(a);
  const auto y = read_only(b);
  require<shape_error>(detail::same_extents(a, b), "max_abs_difference: ", detail::extents_of(a), " and ",
                       detail::extents_of(b));
  double largest = 0;
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const auto one = double(x(i, j)), other = double(y(i, j));
      if (one == other) continue;
      const double difference = std::abs(one - other);
      if (std::isnan(difference)) return difference;
      largest = std::max(largest, difference);
    }
  return largest;
}

}  // namespace mor1e
