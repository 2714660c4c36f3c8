// An owning, contiguous host tensor.
#pragma once

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

#include "mor1e/core/view.hpp"

namespace mor1e {

namespace detail {
struct free_deleter {
  void operator()(void* p) const { std::free(p); }
};
/// 64-byte aligned: a cache line, and the widest vector register.
inline void* aligned_bytes(std::size_t bytes) {
  void* p = std::aligned_alloc(64, (std::max<std::size_t>(bytes, 1) + 63) / 64 * 64);
  if (!p) throw std::bad_alloc();
  return p;
}

/// Throws `shape_error` for another number of indices than axes, `value_error` for one outside its axis.
inline void require_inside(const shape& extents, std::initializer_list<index_t> indices) {
  require<shape_error>(int(indices.size()) == extents.rank(), "tensor: ", indices.size(), " indices for ", extents);
  int axis = 0;
  for (const index_t index : indices) {
    require<value_error>(0 <= index && index < extents[axis], "tensor: index ", index, " of axis ", axis,
                         " is outside ", extents);
    ++axis;
  }
}
}  // namespace detail

/// A dense row-major tensor in host memory, 64-byte aligned, movable, copied only by `clone()`.
///
/// As with std::vector, parentheses take a shape and braces take elements: `tensor<float>({8, 64})` is memory for 8 x
/// 64 elements, `tensor<float>{{1, 2}, {3, 4}}` the 2 x 2 matrix of these.
template <class T>
class tensor {
 public:
  tensor() = default;
  /// Uninitialised memory of the given shape.
  explicit tensor(shape extents)
      : extents_(extents), data_(static_cast<T*>(detail::aligned_bytes(extents.size() * sizeof(T)))) {}
  tensor(shape extents, T value) : tensor(extents) { fill(value); }
  /// A copy of the values, which stand row by row. Throws `shape_error` unless the shape holds as many.
  tensor(shape extents, std::span<const T> values) : tensor(holding(extents, values.size())) {
    std::copy(values.begin(), values.end(), begin());
  }
  tensor(shape extents, std::initializer_list<T> values)
      : tensor(extents, std::span<const T>(values.begin(), values.size())) {}
  /// A matrix, row by row. Throws `shape_error` unless the rows are of one length.
  tensor(std::initializer_list<std::initializer_list<T>> rows)
      : tensor(shape{index_t(rows.size()), rows.size() ? index_t(rows.begin()->size()) : 0}) {
    T* next = begin();
    for (const auto& row : rows) {
      require<shape_error>(index_t(row.size()) == extents_.cols(), "tensor: row ", &row - rows.begin(), " has ",
                           row.size(), " elements, row 0 has ", extents_.cols());
      next = std::copy(row.begin(), row.end(), next);
    }
  }

  const shape& extents() const { return extents_; }
  index_t size() const { return data_ ? extents_.size() : 0; }
  bool empty() const { return size() == 0; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }
  T& operator[](index_t i) { return data_.get()[i]; }
  const T& operator[](index_t i) const { return data_.get()[i]; }

  /// The element at one index for each axis: `x(i, j)` of a matrix. Checked in debug builds only.
  template <std::integral... Index>
  T& operator()(Index... indices) {
    return data()[offset(index_t(indices)...)];
  }
  template <std::integral... Index>
  const T& operator()(Index... indices) const {
    return data()[offset(index_t(indices)...)];
  }
  /// The same, always checked. Throws `shape_error` for a wrong number of indices, `value_error` for one out of range.
  template <std::integral... Index>
  T& at(Index... indices) {
    detail::require_inside(extents_, {index_t(indices)...});
    return (*this)(indices...);
  }
  template <std::integral... Index>
  const T& at(Index... indices) const {
    detail::require_inside(extents_, {index_t(indices)...});
    return (*this)(indices...);
  }

  /// The tensor as a matrix [product of the leading extents, last extent].
  operator mor1e::view<T>() { return {data(), extents_.rows(), extents_.cols()}; }
  operator mor1e::view<const T>() const { return {data(), extents_.rows(), extents_.cols()}; }
  mor1e::view<T> matrix() { return *this; }
  mor1e::view<const T> matrix() const { return *this; }

  void fill(T value) { std::fill(begin(), end(), value); }
  tensor clone() const {
    if (!data_) return {};
    tensor copy(extents_);
    std::copy(begin(), end(), copy.begin());
    return copy;
  }

  /// Same shape, and every element equal. For results of floating point there is core/compare.hpp.
  friend bool operator==(const tensor& a, const tensor& b) {
    return a.extents_ == b.extents_ && std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  static shape holding(shape extents, std::size_t values) {
    require<shape_error>(index_t(values) == extents.size(), "tensor: ", values, " values for ", extents,
                         ", which holds ", extents.size());
    return extents;
  }
  template <class... Index>
  index_t offset(Index... indices) const {
    static_assert(sizeof...(indices) <= shape::max_rank, "a tensor has at most four axes");
    assert(int(sizeof...(indices)) == extents_.rank());
    index_t sum = 0;
    [[maybe_unused]] int axis = 0;
    ((assert(0 <= indices && indices < extents_[axis]), sum = sum * extents_[axis++] + indices), ...);
    return sum;
  }

  shape extents_;
  std::unique_ptr<T, detail::free_deleter> data_;
};

// `view rows = x;`
template <class T>
view(tensor<T>&) -> view<T>;
template <class T>
view(const tensor<T>&) -> view<const T>;

/// The tensor as a read-only matrix, also where a template has to deduce the type of its elements.
template <class T>
view<const T> read_only(const tensor<T>& values) {
  return values;
}

}  // namespace mor1e
