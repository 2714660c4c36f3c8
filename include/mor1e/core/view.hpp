// Non-owning row-major matrices in host memory.
#pragma once

#include <type_traits>

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

}  // namespace mor1e
