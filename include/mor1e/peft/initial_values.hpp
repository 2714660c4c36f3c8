// How the matrices of a method start.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "mor1e/core/rng.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::peft {

enum class start : std::uint8_t {
  zero,
  uniform,  ///< in +-1/sqrt(inputs): Kaiming's with a = sqrt 5, the usual one of a linear and of LoRA's A
  normal    ///< with standard deviation 0.02: of MoLoRA's A and router
};
constexpr std::array<std::string_view, 3> names_of(start) { return {"zero", "uniform", "normal"}; }

/// Fills w [rows, inputs]; element i is the i-th number of the stream `key`.
template <class T>
void fill_start(view<T> w, start how, std::uint64_t key) {
  const double bound = 1 / std::sqrt(double(w.cols));
  for (index_t i = 0; i < w.size(); ++i) {
    if (how == start::zero)
      w[i] = 0;
    else if (how == start::uniform)
      w[i] = T((uniform<double>(key, std::uint64_t(i)) * 2 - 1) * bound);
    else
      w[i] = T(0.02 * rng({key, std::uint64_t(i)}).normal());
  }
}

}  // namespace mor1e::peft
