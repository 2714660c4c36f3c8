// Inputs that name rows or columns. What they may name is checked where host values come in, eagerly or into a plan:
// a kernel cannot throw.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "mor1e/core/error.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e {

/// Index of a value on a tape. Nodes hold ids, never pointers, so a plan can place and move what they name.
using slot_id = std::int32_t;
inline constexpr slot_id no_slot = -1;

/// The values of int32 input `input` of an op lie in [begin, end). Without `begin` negative ones name nothing.
struct index_range {
  int input = 0;
  index_t end = std::numeric_limits<index_t>::max();
  index_t begin = std::numeric_limits<index_t>::min();
};

/// An int32 input of a graph: what its readers allow, and the extremes of what was filled in.
struct index_input {
  slot_id slot = no_slot;
  index_t begin = std::numeric_limits<index_t>::min(), end = std::numeric_limits<index_t>::max();
  const char* reader = "";  ///< the op with the narrowest range

  struct extreme {
    index_t value;
    index_t at = 0;
  };
  extreme least{std::numeric_limits<index_t>::max()}, largest{std::numeric_limits<index_t>::min()};

  /// One more reader. Throws a value_error if it does not allow what is there already.
  void narrow(const index_range& range, const char* op) {
    if (range.end < end || range.begin > begin) reader = op;
    end = std::min(end, range.end);
    begin = std::max(begin, range.begin);
    check(least, largest);
  }
  /// Host values come in. Throws a value_error if a reader does not allow them.
  void fill(view<const std::int32_t> values) {
    extreme low{std::numeric_limits<index_t>::max()}, high{std::numeric_limits<index_t>::min()};
    for (index_t i = 0; i < values.rows; ++i)
      for (index_t j = 0; j < values.cols; ++j) {
        const index_t value = values(i, j), at = i * values.cols + j;
        if (value < low.value) low = {value, at};
        if (value > high.value) high = {value, at};
      }
    check(low, high);
    least = low, largest = high;
  }

 private:
  void check(const extreme& low, const extreme& high) const {
    const extreme& wrong = high.value >= end ? high : low;
    require<value_error>(low.value >= begin && high.value < end, reader, ": index ", wrong.value, " at ", wrong.at,
                         " is outside [", std::max<index_t>(begin, 0), ", ", end, ")");
  }
};

}  // namespace mor1e
