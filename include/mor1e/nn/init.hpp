// Where trained weights start: host tensors drawn from a key, the same on every machine and device.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/core/rng.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::nn::init {

/// The factor that keeps the variance of activations through a nonlinearity: 1, sqrt(2), sqrt(2 / (1 + slope^2)), 5/3.
inline constexpr double linear_gain = 1, relu_gain = 1.4142135623730951, tanh_gain = 5.0 / 3;
inline double leaky_relu_gain(double slope) { return std::sqrt(2 / (1 + slope * slope)); }

/// Normal with mean 0 and standard deviation `deviation`.
template <class T = float>
tensor<T> normal(shape extents, double deviation, std::uint64_t key) {
  tensor<T> out(extents);
  rng random(key);
  for (T& x : out) x = T(deviation * random.normal());
  return out;
}
/// Uniform in [-bound, bound).
template <class T = float>
tensor<T> uniform(shape extents, double bound, std::uint64_t key) {
  tensor<T> out(extents);
  for (index_t i = 0; i < out.size(); ++i) out[i] = T((mor1e::uniform<double>(key, std::uint64_t(i)) * 2 - 1) * bound);
  return out;
}

/// For a weight [outputs, inputs]: uniform within gain sqrt(6 / (inputs + outputs)), or normal with standard deviation
/// gain sqrt(2 / (inputs + outputs)). Source: Glorot and Bengio, AISTATS 2010.
template <class T = float>
tensor<T> xavier_uniform(shape extents, std::uint64_t key, double gain = linear_gain) {
  return uniform<T>(extents, gain * std::sqrt(6.0 / double(extents.rows() + extents.cols())), key);
}
template <class T = float>
tensor<T> xavier_normal(shape extents, std::uint64_t key, double gain = linear_gain) {
  return normal<T>(extents, gain * std::sqrt(2.0 / double(extents.rows() + extents.cols())), key);
}

/// For a weight [outputs, inputs]: uniform within gain sqrt(3 / inputs), or normal with standard deviation
/// gain / sqrt(inputs). Source: He et al., ICCV 2015.
template <class T = float>
tensor<T> kaiming_uniform(shape extents, std::uint64_t key, double gain = relu_gain) {
  return uniform<T>(extents, gain * std::sqrt(3.0 / double(extents.cols())), key);
}
template <class T = float>
tensor<T> kaiming_normal(shape extents, std::uint64_t key, double gain = relu_gain) {
  return normal<T>(extents, gain / std::sqrt(double(extents.cols())), key);
}

}  // namespace mor1e::nn::init
