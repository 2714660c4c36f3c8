// xtensor and our tensors on the same memory. Needs xtensor (Debian: libxtensor-dev).
//
//     interop::as_xtensor(x) += 1;                                                       // no copy
//     const tensor<float> z = interop::to_tensor(xt::sum(interop::as_xtensor(x), {0}));  // one copy
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <xtensor/xadapt.hpp>
#include <xtensor/xexpression.hpp>
#include <xtensor/xstrided_view.hpp>

#include "mor1e/core/tensor.hpp"

namespace mor1e::interop {

namespace detail {

template <class T>
auto adapt_tensor(T* data, const shape& extents) {
  return xt::adapt(std::move(data), std::size_t(extents.size()), xt::no_ownership(),
                   std::vector<std::size_t>(extents.begin(), extents.end()));
}

}  // namespace detail

/// The tensor as an xtensor array of its shape, on the same memory.
template <class T>
auto as_xtensor(tensor<T>& values) {
  return detail::adapt_tensor(values.data(), values.extents());
}
template <class T>
auto as_xtensor(const tensor<T>& values) {
  return detail::adapt_tensor(values.data(), values.extents());
}
template <class T>
void as_xtensor(const tensor<T>&&) = delete;  // would dangle

/// The view as an xtensor array [rows, cols] with the view's distance from row to row, on the same memory.
template <class T>
auto as_xtensor(view<T> values) {
  const std::size_t reach = values.size() == 0 ? 0 : std::size_t((values.rows - 1) * values.stride + values.cols);
  return xt::strided_view(xt::adapt(std::move(values.data), reach, xt::no_ownership(), std::vector<std::size_t>{reach}),
                          std::vector<std::size_t>{std::size_t(values.rows), std::size_t(values.cols)},
                          std::vector<std::ptrdiff_t>{std::ptrdiff_t(values.stride), 1}, 0, xt::layout_type::dynamic);
}

/// Evaluates an array or an expression of xtensor into a tensor of its own. Throws `shape_error` for more than four
/// axes.
template <class Derived>
auto to_tensor(const xt::xexpression<Derived>& expression) {
  const Derived& values = expression.derived_cast();
  shape extents;
  for (const auto extent : values.shape()) extents.append(index_t(extent));
  tensor<typename Derived::value_type> out(extents);
  std::copy(values.template begin<xt::layout_type::row_major>(), values.template end<xt::layout_type::row_major>(),
            out.begin());
  return out;
}

}  // namespace mor1e::interop
