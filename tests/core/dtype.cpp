#include "mor1e/core/dtype.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace mor1e;

namespace {

/// The value of half bits from the definition: (-1)^s 2^(e-15) (1 + m/1024), denormals 2^-14 m/1024.
double half_by_definition(unsigned bits) {
  const double sign = bits & 0x8000u ? -1 : 1;
  const int exponent = int(bits >> 10 & 31u);
  const double mantissa = double(bits & 1023u) / 1024;
  if (exponent == 31) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  return exponent == 0 ? sign * std::ldexp(mantissa, -14) : sign * std::ldexp(1 + mantissa, exponent - 15);
}

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

}  // namespace

TEST_CASE("every half is decoded as defined and comes back") {
  int wrong_values = 0, wrong_round_trips = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = f16_to_float(std::uint16_t(bits));
    const double expected = half_by_definition(bits);
    if (std::isnan(expected)) {
      // A NaN keeps its sign, not its payload.
      wrong_values += !std::isnan(value);
      const unsigned back = float_to_f16(value);
      wrong_round_trips += (back & 0x8000u) != (bits & 0x8000u) || !std::isnan(half_by_definition(back));
    } else {
      wrong_values += !same_bits(value, float(expected));
      wrong_round_trips += float_to_f16(value) != bits;
    }
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_round_trips == 0);
}

TEST_CASE("every bfloat16 is the upper half of a float and comes back") {
  int wrong_values = 0, wrong_round_trips = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_float(std::uint16_t(bits));
    wrong_values += std::bit_cast<std::uint32_t>(value) != bits << 16;
    const unsigned back = float_to_bf16(value);
    // A signalling NaN comes back quiet.
    wrong_round_trips += std::isnan(value) ? back != (bits | 0x40u) : back != bits;
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_round_trips == 0);
}

TEST_CASE("floats round to the nearest half, ties to even") {
  int wrong = 0;
  for (unsigned sign : {0u, 0x8000u}) {
    // Neighbours up to the largest finite half and the first that would follow it (65536).
    for (unsigned bits = 0; bits < 0x7c00u; ++bits) {
      const double low = half_by_definition(bits), high = bits == 0x7bffu ? 65536.0 : half_by_definition(bits + 1);
      const float middle = float((low + high) / 2);
      const float below = std::nextafter(middle, 0.0f), above = std::nextafter(middle, HUGE_VALF);
      const auto convert = [&](float v) { return unsigned(float_to_f16(sign ? -v : v)); };
      wrong += convert(below) != (sign | bits);
      wrong += convert(above) != (sign | (bits + 1));
      wrong += convert(middle) != (sign | (bits % 2 ? bits + 1 : bits));
    }
  }
  CHECK(wrong == 0);
  CHECK(float_to_f16(std::numeric_limits<float>::max()) == 0x7c00u);
  CHECK(float_to_f16(-HUGE_VALF) == 0xfc00u);
  CHECK(float_to_f16(std::numeric_limits<float>::denorm_min()) == 0u);
}

TEST_CASE("floats round to the nearest bfloat16, ties to even") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7fffu) >= 0x7f80u) continue;  // infinity and NaN
    const auto convert = [&](unsigned low) { return unsigned(float_to_bf16(std::bit_cast<float>(bits << 16 | low))); };
    wrong += convert(0x7fffu) != bits;
    wrong += convert(0x8001u) != bits + 1;
    wrong += convert(0x8000u) != (bits % 2 ? bits + 1 : bits);
  }
  CHECK(wrong == 0);
}
