// How much is dropped, and by which random numbers.
#pragma once

#include <cstdint>

#include "mor1e/core/config.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend {

/// Element j of a row is dropped by bits that follow from the site, the draw of the step, the row's example and its
/// position in it. So a recomputation drops the same, and so does another packing or number of threads.
struct dropout_shape {
  double rate = 0;
  std::uint64_t site = 0;  ///< a key of this place in the model

  /// Of 2^32 values of a random word, those that drop.
  std::uint32_t dropped() const { return std::uint32_t(rate * 0x1p32); }
  double factor() const { return 1 / (1 - rate); }
};

/// The key of a step's mask; `draw` points to the two halves of the step's own.
MOR1E_HD inline std::uint64_t dropout_key(const dropout_shape& s, const std::int32_t* draw) {
  return stream_key(s.site, std::uint64_t(std::uint32_t(draw[0])) | std::uint64_t(std::uint32_t(draw[1])) << 32);
}
inline std::uint64_t dropout_key(const dropout_shape& s, view<const std::int32_t> draw) {
  return dropout_key(s, draw.data);
}

}  // namespace mor1e::backend
