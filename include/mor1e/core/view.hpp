// Non-owning row-major matrices in host memory.
#pragma once

#include <type_traits>
#include <utility>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e {

/// A matrix [rows, cols] of T, elements of a row adjacent, `stride` elements from row to row.
/// A tensor of higher rank is seen with its leading axes folded into rows; a vector [n] is one row of n.
template <class T>
struct view {
  T* data = nullptr;
  index_t rows = 0;
  index_t cols = 0;
  index_t stride = 0;

  view() = default;
  view(T* data, index_t rows, index_t cols) : view(data, rows, cols, cols) {}
  view(T* data, index_t rows, index_t cols, index_t stride) : data(data), rows(rows), cols(cols), stride(stride) {}
  /// A mutable view is also a read-only one.
  operator view<const T>() const requires(!std::is_const_v<T>) { return {data, rows, cols, stride}; }

  T* address() const { return data; }
  T* row(index_t i) const { return data + i * stride; }
  T& operator()(index_t i, index_t j) const { return data[i * stride + j]; }
  T& operator[](index_t i) const { return data[i]; }
  index_t size() const { return rows * cols; }
  bool contiguous() const { return stride == cols || rows <= 1; }
  bool empty() const { return data == nullptr || size() == 0; }

  view row_range(index_t begin, index_t count) const { return {data + begin * stride, count, cols, stride}; }
  view col_range(index_t begin, index_t count) const { return {data + begin, rows, count, stride}; }
};

/// The values as a read-only view. An argument of this type leaves T to the other arguments, so that a tensor or a
/// view, constant or not, is accepted: `template <class T> void fill(var<T> to, const_view<T> values)`.
template <class T>
using const_view = view<const std::type_identity_t<T>>;

/// The same memory, not to be written: what a template that deduces `view<const T>` takes. core/tensor.hpp has it for
/// tensors.
template <class T>
view<const T> read_only(view<T> values) {
  return {values.data, values.rows, values.cols, values.stride};
}

/// What can be read as a matrix: a view or a tensor, constant or not. `template <Readable Values> auto input(const
/// Values& values)` takes any of them and goes on with `read_only(values)`, a `view<const element_of<Values>>`.
template <class Values>
concept Readable = requires(const Values& values) {
  read_only(values).data;
};

/// The element type of what can be read as a matrix, without const.
template <Readable Values>
using element_of = std::remove_cvref_t<decltype(*read_only(std::declval<const Values&>()).data)>;

}  // namespace mor1e
