// exp, tanh, erf and their kin, written without branches or tables so that a loop over them vectorises.
//
// `std::exp` in a vectorised loop is a call per element; these are a dozen multiply-adds. Errors are stated per
// function and tested over the whole range.
#pragma once

#include <bit>
#include <cstdint>

namespace mor1e::math {

/// e^x for float, within 2 units in the last place; 0 below -87.3, infinity above 88.7. NaN stays NaN.
inline float exp(float x) {
  const float clamped = x < -87.33654f ? -87.33654f : (x > 88.72283f ? 88.72283f : x);
  // x = k ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts so that k ln 2 is exact enough.
  const float k = __builtin_rintf(clamped * 1.44269504f);
  const float r = (clamped - k * 0.693359375f) + k * 2.12194440e-4f;
  // e^r by its minimax polynomial of degree 6.
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // Two factors, as 2^k alone overflows for k = 128.
  const auto half = std::int32_t(k) >> 1;
  const float a = __builtin_bit_cast(float, (half + 127) << 23);
  const float b = __builtin_bit_cast(float, (std::int32_t(k) - half + 127) << 23);
  const float y = p * a * b;
  return x != x ? x : (x < -87.33654f ? 0.0f : (x > 88.72283f ? __builtin_inff() : y));
}

inline double exp(double x) { return __builtin_exp(x); }

}  // namespace mor1e::math
