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

// Choices between floats are made on their bits. As `c ? a : b` a compiler may put a's computation behind c, and cannot
// take it back for fear of exceptions; a loop with such a branch is vectorised with AVX-512's masks alone.
namespace detail {

inline constexpr std::int32_t magnitude_bits = 0x7fffffff, infinity_bits = 0x7f800000;

MOR1E_SCALAR inline std::int32_t bits_of(float x) { return __builtin_bit_cast(std::int32_t, x); }
MOR1E_SCALAR inline float of_bits(std::int32_t bits) { return __builtin_bit_cast(float, bits); }

/// x with a magnitude of at most `most`; NaN counts as infinity.
MOR1E_SCALAR inline float bounded(float x, float most) {
  const std::int32_t magnitude = bits_of(x) & magnitude_bits, bound = bits_of(most);
  return of_bits((magnitude < bound ? magnitude : bound) | (bits_of(x) & ~magnitude_bits));
}

/// All bits where a < b, else none; of two that are not negative.
MOR1E_SCALAR inline std::int32_t is_less(float a, float b) { return (bits_of(a) - bits_of(b)) >> 31; }

/// a where the mask has all bits, b where it has none.
MOR1E_SCALAR inline float choose(std::int32_t mask, float a, float b) {
  return of_bits((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

/// The nearest whole number of an |x| < 2^22.
MOR1E_SCALAR inline std::int32_t nearest(float x) {
#if defined(__SSE2__) && !defined(__SSE4_1__)  // rint would be a call
  return std::int32_t(x + of_bits(bits_of(0.5f) | (bits_of(x) & ~magnitude_bits)));
#else
  return std::int32_t(__builtin_rintf(x));
#endif
}

/// y, or NaN where the magnitude of x is beyond that of the bits `most`.
MOR1E_SCALAR inline float nan_beyond(std::int32_t most, float x, float y) {
  return of_bits(bits_of(y) | ((most - (bits_of(x) & magnitude_bits)) >> 31 & 0x7fc00000));
}

}  // namespace detail

/// e^x for float, within 2 units in the last place; 0 below -87.68, infinity above 88.72. NaN stays NaN.
MOR1E_SCALAR inline float exp(float x) {
#ifdef __CUDA_ARCH__
  return ::expf(x);
#else
  const float clamped = detail::bounded(x, 89.0f);
  // x = k ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts so that k ln 2 is exact enough.
  const std::int32_t whole = detail::nearest(clamped * 1.44269504f), half = whole >> 1;
  const float k = float(whole);
  const float r = (clamped - k * 0.693359375f) + k * 2.12194440e-4f;
  // e^r by its minimax polynomial of degree 6.
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // Two factors, as 2^k alone overflows for k = 128; one is 0 for k < -126, below the normal numbers.
  const float a = detail::of_bits((half + 127) << 23);
  const float b = detail::of_bits(((whole - half + 127) << 23) & ~((whole + 126) >> 31));
  return detail::nan_beyond(detail::infinity_bits, x, p * a * b);
#endif
}

MOR1E_SCALAR inline double exp(double x) { return __builtin_exp(x); }

/// Natural logarithm of a positive normal float, relative error below 2e-7; anything else gives no meaningful number.
MOR1E_SCALAR inline float log(float x) {
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

MOR1E_SCALAR inline double log(double x) { return __builtin_log(x); }

/// 1 / (1 + e^-x)
template <class T>
MOR1E_SCALAR inline T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// Hyperbolic tangent for float, relative error below 3e-7.
MOR1E_SCALAR inline float tanh(float x) {
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
  return __builtin_copysignf(detail::choose(detail::is_less(a, 0.625f), small, large), x);
#endif
}

MOR1E_SCALAR inline double tanh(double x) { return __builtin_tanh(x); }

/// Error function for float, relative error below 3e-7.
MOR1E_SCALAR inline float erf(float x) {
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
  const float b = detail::bounded(a, 4.0f);
  float q = -1.32723618e-5f;
  q = q * b + 3.16937022e-4f;
  q = q * b - 3.43235138e-3f;
  q = q * b + 2.26047722e-2f;
  q = q * b - 1.03281118e-1f;
  q = q * b - 6.39141258e-1f;
  q = q * b - 1.12589365f;
  q = q * b - 7.65897780e-4f;
  const float y = detail::choose(detail::is_less(a, 1.0f), a * p, 1.0f - exp(q));
  return detail::nan_beyond(detail::infinity_bits, x, __builtin_copysignf(y, x));
#endif
}

MOR1E_SCALAR inline double erf(double x) { return __builtin_erf(x); }

/// Sine (Quarters 0) or cosine (1) for float: absolute error below 1e-7 for |x| < 1e6, within [-1, 1] anywhere.
template <int Quarters>
MOR1E_SCALAR inline float turned_sine(float x) {
  // x = k pi / 2 + r, |r| <= pi / 4, in double: the first part of pi / 2 has 33 bits, so that k times it is exact.
  const double wide = detail::bounded(x, 3.4028235e38f);
  const double k = __builtin_rint(wide * 0.63661977236758134), turn = k + Quarters;
  float r = float((wide - k * 1.57079632673412561417) - k * 6.07710050650619224932e-11);
  r = detail::bounded(r, 0.79f);  // an x so large that the difference is noise
  const auto quadrant = std::int32_t(turn - 4 * __builtin_rint(turn * 0.25));
  const std::int32_t odd = -(quadrant & 1);
  // sin r = r (1 + u P(u)), cos r = 1 + u Q(u): the coefficients are chosen.
  const float u = r * r;
  float p = detail::choose(odd, 2.454768971e-5f, 0.0f);
  p = p * u + detail::choose(odd, -1.388830187e-3f, -1.958763904e-4f);
  p = p * u + detail::choose(odd, 4.166666465e-2f, 8.332747104e-3f);
  p = p * u + detail::choose(odd, -0.5f, -1.666666466e-1f);
  const float y = (p * u + 1.0f) * detail::choose(odd, 1.0f, r);
  const std::int32_t sign = (quadrant & 2) << 30;
  return detail::nan_beyond(detail::infinity_bits - 1, x, detail::of_bits(detail::bits_of(y) ^ sign));
}

MOR1E_SCALAR inline float sin(float x) { return turned_sine<0>(x); }
MOR1E_SCALAR inline float cos(float x) { return turned_sine<1>(x); }
MOR1E_SCALAR inline double sin(double x) { return __builtin_sin(x); }
MOR1E_SCALAR inline double cos(double x) { return __builtin_cos(x); }

}  // namespace mor1e::math
