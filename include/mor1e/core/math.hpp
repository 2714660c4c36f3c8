// exp, log, tanh, erf, sin and their kin, written without branches or tables so that a loop over them vectorises.
//
// `std::exp` in a vectorised loop is a call per element; these are a dozen multiply-adds. Errors are stated per
// function and tested over the whole range. In a kernel exp, log, tanh and erf of a float are the CUDA library's: as
// exact (its documentation says within 2 units in the last place), and shorter by the unit for special functions.
#pragma once

#include <bit>
#include <cstdint>

#include "mor1e/core/config.hpp"

namespace mor1e::math {

/// e^x for float, within 2 units in the last place; 0 below -87.3, infinity above 88.7. NaN stays NaN.
MOR1E_HD inline float exp(float x) {
#ifdef __CUDA_ARCH__
  return ::expf(x);
#else
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
#endif
}

MOR1E_HD inline double exp(double x) { return __builtin_exp(x); }

/// Natural logarithm of a positive normal float, relative error below 2e-7; anything else gives no meaningful number.
MOR1E_HD inline float log(float x) {
#ifdef __CUDA_ARCH__
  return ::logf(x);
#else
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)): the exponent of x / sqrt(1/2).
  const auto bits = __builtin_bit_cast(std::int32_t, x);
  const std::int32_t k = (bits - 0x3f3504f3) >> 23;
  const float f = __builtin_bit_cast(float, bits - k * (1 << 23)) - 1.0f;
  // log m = 2 artanh s with s = f / (2 + f), |s| < 0.172: s times a polynomial in s^2.
  const float s = f / (2.0f + f), u = s * s;
  float p = 2.0f / 9;
  p = p * u + 2.0f / 7;
  p = p * u + 2.0f / 5;
  p = p * u + 2.0f / 3;
  // f - f s is 2 s, with less of it rounded away.
  return float(k) * 0.693147181f + (f - s * (f - u * p));
#endif
}

MOR1E_HD inline double log(double x) { return __builtin_log(x); }

/// 1 / (1 + e^-x)
template <class T>
MOR1E_HD T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// Hyperbolic tangent for float, relative error below 3e-7.
MOR1E_HD inline float tanh(float x) {
#ifdef __CUDA_ARCH__
  return ::tanhf(x);
#else
  const float a = __builtin_fabsf(x), u = x * x;
  // Below 0.625, where 1 - 2 / (e^2a + 1) would cancel: a + a^3 P(a^2).
  float p = -6.09671417e-3f;
  p = p * u + 2.09971790e-2f;
  p = p * u - 5.38509096e-2f;
  p = p * u + 1.33327697e-1f;
  p = p * u - 3.33333289e-1f;
  const float small = a + a * u * p;
  const float large = 1.0f - 2.0f / (exp(2.0f * a) + 1.0f);
  return __builtin_copysignf(a < 0.625f ? small : large, x);
#endif
}

MOR1E_HD inline double tanh(double x) { return __builtin_tanh(x); }

/// Error function for float, relative error below 3e-7.
MOR1E_HD inline float erf(float x) {
#ifdef __CUDA_ARCH__
  return ::erff(x);
#else
  const float a = __builtin_fabsf(x), u = x * x;
  // Below 1: a P(a^2).
  float p = -5.64805987e-4f;
  p = p * u + 4.92176203e-3f;
  p = p * u - 2.67150542e-2f;
  p = p * u + 1.12803167e-1f;
  p = p * u - 3.76123438e-1f;
  p = p * u + 1.12837913f;
  // Above: 1 - e^Q(a), where Q fits the logarithm of 1 - erf on [1, 4]; beyond 4 that is 1 to the last bit.
  const float b = a > 4.0f ? 4.0f : a;
  float q = -1.32723618e-5f;
  q = q * b + 3.16937022e-4f;
  q = q * b - 3.43235138e-3f;
  q = q * b + 2.26047722e-2f;
  q = q * b - 1.03281118e-1f;
  q = q * b - 6.39141258e-1f;
  q = q * b - 1.12589365f;
  q = q * b - 7.65897780e-4f;
  return __builtin_copysignf(a < 1.0f ? a * p : 1.0f - exp(q), x);
#endif
}

MOR1E_HD inline double erf(double x) { return __builtin_erf(x); }

/// Sine (Quarters 0) or cosine (1) for float: absolute error below 1e-7 for |x| < 1e6, within [-1, 1] anywhere.
template <int Quarters>
MOR1E_HD inline float turned_sine(float x) {
  // x = k pi / 2 + r, |r| <= pi / 4, in double: the first part of pi / 2 has 33 bits, so that k times it is exact.
  const double k = __builtin_rint(double(x) * 0.63661977236758134), turn = k + Quarters;
  float r = float((double(x) - k * 1.57079632673412561417) - k * 6.07710050650619224932e-11);
  r = r > 0.79f ? 0.79f : (r < -0.79f ? -0.79f : r);                     // an x so large that the difference is noise
  const float quadrant = float(turn - 4 * __builtin_rint(turn * 0.25));  // -2 to 2; rint vectorises, floor does not
  const bool odd = (quadrant == 1) | (quadrant == -1);
  // sin r = r (1 + u P(u)), cos r = 1 + u Q(u): the coefficients are chosen, as a choice of results would be a branch.
  const float u = r * r;
  float p = odd ? 2.454768971e-5f : 0.0f;
  p = p * u + (odd ? -1.388830187e-3f : -1.958763904e-4f);
  p = p * u + (odd ? 4.166666465e-2f : 8.332747104e-3f);
  p = p * u + (odd ? -0.5f : -1.666666466e-1f);
  const float y = (p * u + 1.0f) * (odd ? 1.0f : r);
  return ((quadrant < 0) | (quadrant == 2)) ? -y : y;
}

MOR1E_HD inline float sin(float x) { return turned_sine<0>(x); }
MOR1E_HD inline float cos(float x) { return turned_sine<1>(x); }
MOR1E_HD inline double sin(double x) { return __builtin_sin(x); }
MOR1E_HD inline double cos(double x) { return __builtin_cos(x); }

}  // namespace mor1e::math
