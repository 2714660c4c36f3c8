// What operands of a product in fewer bits are rounded to, and how.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "mor1e/core/dtype.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::backend::detail {

/// Both operands rounded to bf16, sums of fp32.
struct bf16_operands {
  using weight = std::uint16_t;
  using input = std::uint16_t;
  using sum = float;
  static constexpr bool scaled = false;
  static constexpr int offset = 0;
  static constexpr index_t most_terms = std::numeric_limits<index_t>::max();  ///< of a scale

  template <class F, class To>
  static float round(index_t n, F x, To* to) {
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = float_to_bf16(x(j));
    return 1;
  }
};
/// Both operands rounded to 255 steps between their largest magnitudes, sums of int32. A few columns of what a linear
/// reads are a hundred times larger than the rest: with one scale a row, its other values would have few steps left.
struct int8_operands {
  using weight = std::int8_t;
  using input = std::uint8_t;  ///< plus `offset`, as VNNI multiplies unsigned by signed
  using sum = std::int32_t;
  static constexpr bool scaled = true;
  static constexpr int offset = 128;
  static constexpr index_t most_terms = 192;

  /// x(j) = scale (to_j - shift) for j < n, shift being 0 in a weight and `offset` in an input. Returns the scale; it
  /// is NaN if there is a value that is not finite. x is a copy: bytes that are written might else be its own.
  template <class F, class To>
  static float round(index_t n, F x, To* to) {
    constexpr int shift = std::is_same_v<To, input> ? offset : 0;
    // Magnitudes are ordered as their bits are, and whatever is not finite comes after all others.
    std::uint32_t bits = 0;
#pragma omp simd reduction(max : bits)
    for (index_t j = 0; j < n; ++j) {
      const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x(j)) & 0x7fffffffu;
      bits = magnitude > bits ? magnitude : bits;
    }
    if (bits >= 0x7f800000u) {
      std::fill_n(to, n, To(shift));
      return std::numeric_limits<float>::quiet_NaN();
    }
    const float largest = std::bit_cast<float>(bits);
    const float inverse = largest > 0 ? 127 / largest : 0;
    // Truncating a positive number plus a half rounds to nearest, in vectors.
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = To(int(x(j) * inverse + 128.5f) - 128 + shift);
    return largest / 127;
  }
};

}  // namespace mor1e::backend::detail
