#pragma once

#include <cstdint>
#include <cstring>

#include "mor1e/io/convert.hpp"
#include "mor1e/io/gguf_dequantise.hpp"

// One function a block type: `block` are its stored bytes, `out` its 32 or 256 elements. In the 32-element types byte j
// of the nibbles holds element j low and element j + 16 high.
namespace mor1e::io::detail {

inline float half_at(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, 2);
  return f16_to_float(bits);
}
inline int low_nibble(std::byte b) { return std::to_integer<int>(b) & 15; }
inline int high_nibble(std::byte b) { return std::to_integer<int>(b) >> 4; }
inline int signed_byte(std::byte b) { return static_cast<std::int8_t>(b); }

/// d f16 | 32 x int8
inline void dequantise_q8_0(const std::byte* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 32; ++j) out[j] = d * float(signed_byte(block[2 + j]));
}

/// d f16 | 16 bytes of nibbles
inline void dequantise_q4_0(const std::byte* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float(low_nibble(block[2 + j]) - 8);
    out[j + 16] = d * float(high_nibble(block[2 + j]) - 8);
  }
}

/// d f16 | m f16 | 16 bytes of nibbles
inline void dequantise_q4_1(const std::byte* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float(low_nibble(block[4 + j])) + m;
    out[j + 16] = d * float(high_nibble(block[4 + j])) + m;
  }
}

/// The fifth bits of a Q5 block: bit i belongs to element i.
inline std::uint32_t fifth_bits(const std::byte* at) {
  std::uint32_t bits;
  std::memcpy(&bits, at, 4);
  return bits;
}

/// d f16 | 32 fifth bits | 16 bytes of nibbles
inline void dequantise_q5_0(const std::byte* block, float* out) {
  const float d = half_at(block);
  const std::uint32_t fifth = fifth_bits(block + 2);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float((low_nibble(block[6 + j]) | int((fifth >> j) & 1) << 4) - 16);
    out[j + 16] = d * float((high_nibble(block[6 + j]) | int((fifth >> (j + 16)) & 1) << 4) - 16);
  }
}

/// d f16 | m f16 | 32 fifth bits | 16 bytes of nibbles
inline void dequantise_q5_1(const std::byte* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  const std::uint32_t fifth = fifth_bits(block + 4);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * float(low_nibble(block[8 + j]) | int((fifth >> j) & 1) << 4) + m;
    out[j + 16] = d * float(high_nibble(block[8 + j]) | int((fifth >> (j + 16)) & 1) << 4) + m;
  }
}

/// Scale and minimum of one group of 32 elements.
struct group_scale {
  int scale, minimum;
};

/// The 12 bytes hold eight pairs of 6-bit numbers. The first four scales, then the first four minima, are the low 6
/// bits of bytes 0-3 and 4-7; the last four pairs have their low 4 bits in bytes 8-11 (scale low, minimum high) and
/// their high 2 bits on top of the bytes 0-3 and 4-7.
inline group_scale group_scale_at(const std::byte* packed, int group) {
  const auto byte = [&](int i) { return std::to_integer<int>(packed[i]); };
  if (group < 4) return {byte(group) & 63, byte(group + 4) & 63};
  return {(byte(group + 4) & 15) | (byte(group - 4) >> 6) << 4, byte(group + 4) >> 4 | (byte(group) >> 6) << 4};
}

/// d f16 | d_min f16 | 12 bytes of scales | 128 bytes of nibbles: 32 bytes serve two groups, low then high
inline void dequantise_q4_k(const std::byte* block, float* out) {
  const float d = half_at(block), d_min = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const auto [s, t] = group_scale_at(block + 4, group);
    const float scale = d * float(s), minimum = d_min * float(t);
    const std::byte* nibbles = block + 16 + 32 * (group / 2);
    for (int j = 0; j < 32; ++j) {
      const int q = group % 2 ? high_nibble(nibbles[j]) : low_nibble(nibbles[j]);
      out[32 * group + j] = scale * float(q) - minimum;
    }
  }
}

/// As Q4_K with 32 bytes of fifth bits before the nibbles: bit g of byte j belongs to element j of group g
inline void dequantise_q5_k(const std::byte* block, float* out) {
  const float d = half_at(block), d_min = half_at(block + 2);
  const std::byte* fifth = block + 16;
  for (int group = 0; group < 8; ++group) {
    const auto [s, t] = group_scale_at(block + 4, group);
    const float scale = d * float(s), minimum = d_min * float(t);
    const std::byte* nibbles = block + 48 + 32 * (group / 2);
    for (int j = 0; j < 32; ++j) {
      const int low = group % 2 ? high_nibble(nibbles[j]) : low_nibble(nibbles[j]);
      const int q = low | (std::to_integer<int>(fifth[j]) >> group & 1) << 4;
      out[32 * group + j] = scale * float(q) - minimum;
    }
  }
}

/// 128 bytes of low nibbles | 64 bytes of high bit pairs | 16 x int8 scales | d f16. Each half of 128 elements is four
/// runs of 32: runs 0, 1 are the low nibbles of its 64 bytes, runs 2, 3 the high ones; run r has bits 2r of its 32
/// pairs
inline void dequantise_q6_k(const std::byte* block, float* out) {
  const std::byte *nibbles = block, *pairs = block + 128, *scales = block + 192;
  const float d = half_at(block + 208);
  for (int run = 0; run < 8; ++run) {
    const int half = run / 4, r = run % 4;
    for (int j = 0; j < 32; ++j) {
      const std::byte byte = nibbles[64 * half + 32 * (r % 2) + j];
      const int low = r < 2 ? low_nibble(byte) : high_nibble(byte);
      const int high = std::to_integer<int>(pairs[32 * half + j]) >> (2 * r) & 3;
      const float scale = d * float(signed_byte(scales[2 * run + j / 16]));
      out[32 * run + j] = scale * float((low | high << 4) - 32);
    }
  }
}

}  // namespace mor1e::io::detail

namespace mor1e::io {

MOR1E_INLINE void dequantise(ggml_type type, const std::byte* source, index_t count, float* out,
                             std::string_view where) {
  const auto blocks = [&](void (*one)(const std::byte*, float*)) {
    const ggml_layout& layout = *layout_of(type);
    require<shape_error>(count % layout.elements == 0, where, ": ", count, " elements are no whole blocks of ",
                         layout.elements);
    for (index_t i = 0; i < count; i += layout.elements, source += layout.bytes) one(source, out + i);
  };
  switch (type) {
    case ggml_type::f32: return convert_elements(dtype::f32, source, count, out, where);
    case ggml_type::f16: return convert_elements(dtype::f16, source, count, out, where);
    case ggml_type::bf16: return convert_elements(dtype::bf16, source, count, out, where);
    case ggml_type::q8_0: return blocks(detail::dequantise_q8_0);
    case ggml_type::q4_0: return blocks(detail::dequantise_q4_0);
    case ggml_type::q4_1: return blocks(detail::dequantise_q4_1);
    case ggml_type::q5_0: return blocks(detail::dequantise_q5_0);
    case ggml_type::q5_1: return blocks(detail::dequantise_q5_1);
    case ggml_type::q4_k: return blocks(detail::dequantise_q4_k);
    case ggml_type::q5_k: return blocks(detail::dequantise_q5_k);
    case ggml_type::q6_k: return blocks(detail::dequantise_q6_k);
  }
  throw io_error(text(where, ": type ", name_of(type), " (", static_cast<std::uint32_t>(type), ") cannot be decoded"));
}

}  // namespace mor1e::io
