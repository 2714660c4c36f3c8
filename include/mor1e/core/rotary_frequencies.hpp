// How fast the angles of rotary position embedding grow, with what stretches them to longer contexts.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mor1e {

/// How the angles are made smaller, so that a context longer than the one of the pre-training has known angles.
/// `linear`: every frequency over `factor`. `llama3`: those of long waves over `factor`, those of short waves as they
/// are, a blend between. `yarn`: the same by the index of the frequency.
enum class rotary_scaling { none, linear, llama3, yarn };

/// The angle of pair i at position p is p * at(i), i < dim / 2; unscaled at(i) = theta^(-2i / dim).
/// Sources: Su et al. 2021, eq. 15; for the scaled ones Peng et al. 2023 (YaRN), sections 3.2 and 3.3, and Llama 3.1 as
/// Transformers computes them (modeling_rope_utils).
struct rotary_frequencies {
  double theta = 10000;
  int dim = 2;
  rotary_scaling scaling = rotary_scaling::none;
  double factor = 1;
  double context = 0;  ///< positions of the pre-training, for llama3 and yarn
  /// How often a wave turns within `context`: below `slow` times it is stretched by the whole factor, above `fast`
  /// times not at all (`low_freq_factor` and `high_freq_factor` of llama3, `beta_slow` and `beta_fast` of yarn).
  double slow = 1, fast = 4;
  bool whole = true;  ///< yarn: the blend begins and ends at whole indices

  double at(int i) const {
    const double plain = std::pow(theta, -double(i) / double(dim / 2));
    switch (scaling) {
      case rotary_scaling::linear: return plain / factor;
      case rotary_scaling::llama3: return blend(plain, (context * plain / turn - slow) / (fast - slow));
      case rotary_scaling::yarn: {
        const double from = std::max(bound(fast, false), 0.0), to = std::min(bound(slow, true), double(dim - 1));
        return blend(plain, 1 - (i - from) / (from == to ? 0.001 : to - from));
      }
      default: return plain;
    }
  }

 private:
  static constexpr double turn = 2 * std::numbers::pi;

  /// `kept` of the frequency as it is, the rest of it stretched.
  double blend(double plain, double kept) const {
    kept = std::clamp(kept, 0.0, 1.0);
    return (1 - kept) * plain / factor + kept * plain;
  }
  /// The index at which a wave turns so many times within the context.
  double bound(double turns, bool up) const {
    const double index = dim * std::log(context / (turns * turn)) / (2 * std::log(theta));
    return !whole ? index : up ? std::ceil(index) : std::floor(index);
  }
};

}  // namespace mor1e
