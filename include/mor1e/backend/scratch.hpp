// Memory of a device for the time of one primitive.
#pragma once

#include <cstddef>

#include "mor1e/core/shape.hpp"

namespace mor1e::backend {

/// A matrix of undefined values, taken from the pool of the device and given back at the end of the scope.
template <class B, class T>
class scratch {
 public:
  using view_type = typename B::template view<T>;

  scratch(B& device, index_t rows, index_t cols)
      : device_(&device), bytes_(std::size_t(rows * cols) * sizeof(T)), view_(take(), rows, cols) {}
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    if (bytes_) device_->give_back(view_.address(), bytes_);
  }

  view_type view() const { return view_; }

 private:
  T* take() { return bytes_ ? static_cast<T*>(device_->take(bytes_)) : nullptr; }

  B* device_;
  std::size_t bytes_;
  view_type view_;
};

}  // namespace mor1e::backend
