// Parameters of the back ends in host memory, where tests read and change them in place.
#pragma once

#include <vector>

#include "mor1e/backend/reference/device.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::testing {

/// Where weights lie that outlive the function that makes them.
inline reference memory;

/// The values, or the gradient, of a `peft::parameter_view` as a matrix.
template <class V>
auto in_place(const V& v) {
  auto whole = v.of->value.matrix();
  return view(whole.data + v.begin, v.extents.rows(), v.extents.cols());
}
template <class V>
auto gradient_in_place(const V& v) {
  auto whole = v.of->gradient.matrix();
  return view(whole.data + v.begin, v.extents.rows(), v.extents.cols());
}

/// Appends all elements.
template <class T, class U>
void append(std::vector<T>& out, const tensor<U>& values) {
  out.insert(out.end(), values.begin(), values.end());
}

}  // namespace mor1e::testing
