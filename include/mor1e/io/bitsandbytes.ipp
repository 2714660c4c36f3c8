#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mor1e/io/bitsandbytes.hpp"

namespace mor1e::io {

namespace detail {

inline float float_at(const std::byte* at, index_t i) {
  float value;
  std::memcpy(&value, at + std::size_t(i) * sizeof value, sizeof value);
  return value;
}

/// Rounds values to what a matrix of that type holds.
inline void round_to(dtype type, float* values, index_t count) {
  if (type == dtype::bf16)
    for (index_t i = 0; i < count; ++i) values[i] = bf16_to_float(float_to_bf16(values[i]));
  else if (type == dtype::f16)
    for (index_t i = 0; i < count; ++i) values[i] = f16_to_float(float_to_f16(values[i]));
}

}  // namespace detail

MOR1E_INLINE float four_bit_scales::operator[](index_t block) const {
  if (!nested_code) return detail::float_at(at, block);
  // In double the product is exact, so that it is rounded before the offset is added, whatever the compiler fuses.
  const double product = double(detail::float_at(nested_code, std::to_integer<int>(at[block]))) *
                         double(detail::float_at(nested_scales, block / nested_block));
  return float(product) + offset;
}

MOR1E_INLINE four_bit_rows::four_bit_rows(const four_bit_matrix& from) : from_(from) {
  for (std::size_t byte = 0; byte < pairs_.size(); ++byte) pairs_[byte] = {from.code[byte >> 4], from.code[byte & 15]};
}

MOR1E_INLINE void four_bit_rows::read_rows(index_t first, view<float> to) const {
  const auto pair_of = [&](index_t i) { return pairs_[std::to_integer<std::size_t>(from_.codes[i / 2])].data(); };
  for (index_t r = 0; r < to.rows; ++r) {
    float* out = to.row(r);
    const index_t begin = (first + r) * from_.cols, end = begin + from_.cols;
    for (index_t i = begin; i < end;) {
      const index_t until = std::min(end, (i / from_.block + 1) * from_.block);
      const float scale = from_.scales[i / from_.block];
      if (i % 2) *out++ = scale * pair_of(i++)[1];
      for (; i + 1 < until; i += 2, out += 2) {
        const float* pair = pair_of(i);
        out[0] = scale * pair[0];
        out[1] = scale * pair[1];
      }
      if (i < until) *out++ = scale * pair_of(i++)[0];
    }
    detail::round_to(from_.type, to.row(r), from_.cols);
  }
}

MOR1E_INLINE nf4_matrix to_nf4(std::span<const float> values, index_t block) {
  std::array<float, 15> between;  // halfway from one value of the code to the next
  for (std::size_t i = 0; i < between.size(); ++i) between[i] = (nf4_code[i] + nf4_code[i + 1]) / 2;
  const auto size = index_t(values.size());
  nf4_matrix out{std::vector<std::uint8_t>(std::size_t(size + 1) / 2), {}};
  for (index_t begin = 0; begin < size; begin += block) {
    const index_t end = std::min(size, begin + block);
    float largest = 0;
    for (index_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(values[i]));
    out.scales.push_back(largest);
    const float inverse = largest > 0 ? 1 / largest : 0;
    for (index_t i = begin; i < end; ++i) {
      const auto above = std::upper_bound(between.begin(), between.end(), values[i] * inverse);
      out.codes[i / 2] |= std::uint8_t((above - between.begin()) << (i % 2 ? 0 : 4));
    }
  }
  return out;
}

}  // namespace mor1e::io
