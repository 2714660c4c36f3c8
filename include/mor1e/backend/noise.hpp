// Normal noise by random numbers that follow from the step and the token.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "mor1e/backend/dropout.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend {

/// Element j of a row is drawn as dropout's bits are: by the site, the draw of the step, the row's example and its
/// position in it.
struct noise_shape {
  std::uint64_t site = 0;  ///< a key of this place in the model
};

/// The key of a step's noise; `draw` holds the two halves of the step's own.
MOR1E_HD inline std::uint64_t noise_key(const noise_shape& s, const std::int32_t* draw) {
  return dropout_key({.site = s.site}, draw);
}
inline std::uint64_t noise_key(const noise_shape& s, view<const std::int32_t> draw) { return noise_key(s, draw.data); }

/// A standard normal number, by the transform of Box and Muller: two columns share a block of random words.
MOR1E_HD inline double noise_at(std::uint64_t key, index_t column, std::int32_t position, std::int32_t example) {
  const philox_block bits =
      random_words(key, std::uint32_t(column / 2), std::uint32_t(position), std::uint32_t(example));
  const index_t first = column % 2 * 2;
  const double radius = std::sqrt(-2 * std::log(1 - bits.word[first] * 0x1p-32));
  return radius * std::cos(2 * std::numbers::pi * bits.word[first + 1] * 0x1p-32);
}

}  // namespace mor1e::backend
