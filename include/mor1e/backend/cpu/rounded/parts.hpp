// How the terms or the columns of a product are divided.
#pragma once

#include <algorithm>
#include <vector>

#include "mor1e/core/shape.hpp"

namespace mor1e::backend::detail {

/// [0, size) in parts of about the same size, which begin at multiples of what a vector holds. Of the last one, what
/// lies beyond `size` up to a multiple of `granule` is zeros.
class parts {
 public:
  parts(index_t size, index_t most, index_t granule = 1) : size_(size) {
    const index_t count = (size - 1) / most + 1;
    for (index_t part = 0; part < count; ++part) begins_.push_back((size * part / count + 63) / 64 * 64);
    begins_.push_back((size + granule - 1) / granule * granule);
  }

  index_t size() const { return size_; }
  index_t padded() const { return begins_.back(); }
  index_t count() const { return index_t(begins_.size()) - 1; }
  index_t begin(index_t part) const { return begins_[std::size_t(part)]; }
  index_t length(index_t part) const { return begin(part + 1) - begin(part); }
  /// Without the zeros.
  index_t filled(index_t part) const { return std::min(length(part), size_ - begin(part)); }

 private:
  index_t size_;
  std::vector<index_t> begins_;
};

}  // namespace mor1e::backend::detail
