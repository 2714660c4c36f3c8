// The CRC-32 of ISO 3309 (zlib, PNG, Ethernet): a hash of words that every language has at hand.
#pragma once

#include <cstdint>
#include <string_view>

namespace mor1e {

/// crc32("123456789") == 0xcbf43926. Bit by bit: for words, not for files.
constexpr std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t remainder = ~std::uint32_t(0);
  for (char byte : bytes) {
    remainder ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1) ? 0xEDB88320u : 0u);
  }
  return ~remainder;
}

}  // namespace mor1e
