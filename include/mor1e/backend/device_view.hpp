// How code outside a back end names memory of a device.
#pragma once

#include <type_traits>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e {

/// A matrix in the memory of a device: elements of a row adjacent, `stride` elements from row to row. Host code passes
/// it on to primitives; it has no element access, as the host may not be able to read it. See `view` for host memory.
template <class T>
class device_view {
 public:
  index_t rows = 0;
  index_t cols = 0;
  index_t stride = 0;

  device_view() = default;
  MOR1E_HD device_view(T* address, index_t rows, index_t cols) : device_view(address, rows, cols, cols) {}
  MOR1E_HD device_view(T* address, index_t rows, index_t cols, index_t stride)
      : rows(rows), cols(cols), stride(stride), address_(address) {}
  /// A mutable view is also a read-only one.
  MOR1E_HD operator device_view<const T>() const requires(!std::is_const_v<T>) {
    return {address_, rows, cols, stride};
  }

  /// Where the first element lies. Only the back end may follow it.
  MOR1E_HD T* address() const { return address_; }
  MOR1E_HD index_t size() const { return rows * cols; }
  MOR1E_HD bool contiguous() const { return stride == cols || rows <= 1; }
  MOR1E_HD bool empty() const { return address_ == nullptr || size() == 0; }

  MOR1E_HD device_view row_range(index_t begin, index_t count) const {
    return {address_ + begin * stride, count, cols, stride};
  }
  MOR1E_HD device_view col_range(index_t begin, index_t count) const { return {address_ + begin, rows, count, stride}; }

 private:
  T* address_ = nullptr;
};

/// A matrix in the memory of device B: `view` where that is the host's own memory, else `device_view`.
template <class B, class T>
using view_of = typename B::template view<T>;

}  // namespace mor1e
