// A matrix that is not in memory as numbers, but can be decoded row by row: the blocks of a quantised file, say.
#pragma once

#include "mor1e/core/view.hpp"

namespace mor1e {

template <class T>
class row_source {
 public:
  virtual ~row_source() = default;

  virtual index_t rows() const = 0;
  virtual index_t cols() const = 0;
  /// Writes rows [first, first + to.rows) to `to` [.., cols]. May be called from several threads at once.
  virtual void read_rows(index_t first, view<T> to) const = 0;
};

}  // namespace mor1e
