// What an update says of its tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mor1e/backend/array.hpp"

namespace mor1e::optim {

/// A flag a tensor, written by the device and read back without an allocation: whether the tensor is finite.
template <class B>
class finite_flags {
 public:
  finite_flags(B& device, std::size_t tensors)
      : flags_(device, shape{1, index_t(tensors)}), read_(shape{1, index_t(tensors)}) {}

  view_of<B, std::int32_t> matrix() { return flags_.matrix(); }
  /// The number of the first tensor that is not finite; -1 if all are.
  index_t first_broken() {
    flags_.read_to(read_.matrix());
    const auto broken = std::find(read_.begin(), read_.end(), 0);
    return broken == read_.end() ? -1 : index_t(broken - read_.begin());
  }

 private:
  array<B, std::int32_t> flags_;
  tensor<std::int32_t> read_;
};

}  // namespace mor1e::optim
