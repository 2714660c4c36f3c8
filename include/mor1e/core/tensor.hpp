// An owning, contiguous host tensor.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
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
}  // namespace detail

/// A dense row-major tensor in host memory, 64-byte aligned, movable, copied only by `clone()`.
template <class T>
class tensor {
 public:
  tensor() = default;
  /// Uninitialised memory of the given shape.
  explicit tensor(shape extents)
      : extents_(extents), data_(static_cast<T*>(detail::aligned_bytes(extents.size() * sizeof(T)))) {}
  tensor(shape extents, T value) : tensor(extents) { fill(value); }

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

 private:
  shape extents_;
  std::unique_ptr<T, detail::free_deleter> data_;
};

}  // namespace mor1e
