// Dynamic shapes of rank 0 to 4.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "mor1e/core/error.hpp"

namespace mor1e {

using index_t = std::int64_t;

/// The extents of a dense row-major tensor, rank <= 4. A shape of rank 0 has one element.
class shape {
 public:
  static constexpr int max_rank = 4;

  constexpr shape() = default;

  /// Throws `shape_error` for more than four extents or a negative one.
  shape(std::initializer_list<index_t> extents) {
    require<shape_error>(extents.size() <= max_rank, "shape: rank ", extents.size(), " exceeds ", max_rank);
    for (index_t extent : extents) append(extent);
  }

  /// Adds an axis at the end.
  void append(index_t extent) {
    require<shape_error>(rank_ < max_rank, "shape: rank exceeds ", max_rank);
    require<shape_error>(extent >= 0, "shape: extent ", extent, " is negative");
    extents_[rank_++] = extent;
  }

  int rank() const { return rank_; }
  index_t operator[](int axis) const { return extents_[axis]; }
  const index_t* begin() const { return extents_.data(); }
  const index_t* end() const { return extents_.data() + rank_; }

  /// Number of elements.
  index_t size() const { return rows() * cols(); }

  /// The last extent (1 for rank 0): a tensor is read as a matrix [rows(), cols()].
  index_t cols() const { return rank_ == 0 ? 1 : extents_[rank_ - 1]; }
  /// The product of all extents but the last.
  index_t rows() const {
    index_t product = 1;
    for (int axis = 0; axis + 1 < rank_; ++axis) product *= extents_[axis];
    return product;
  }

  friend bool operator==(const shape& a, const shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int axis = 0; axis < a.rank_; ++axis)
      if (a.extents_[axis] != b.extents_[axis]) return false;
    return true;
  }

  /// "[8, 512]"
  std::string str() const {
    std::string out = "[";
    for (int axis = 0; axis < rank_; ++axis) {
      if (axis) out += ", ";
      out += std::to_string(extents_[axis]);
    }
    return out + "]";
  }

 private:
  std::array<index_t, max_rank> extents_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const shape& s) { return out << s.str(); }

}  // namespace mor1e
