// What a norm that is too large is scaled by.
#pragma once

#include "mor1e/core/config.hpp"

namespace mor1e::backend {

/// min(1, max_norm / (norm + 1e-6)); 1 for a max_norm of 0, which stands for none. Not guarded, as in torch: NaN for a
/// NaN norm, 0 for an infinite one.
MOR1E_HD inline double clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return max_norm == 0 || factor >= 1 ? 1 : factor;  // the comparison is false for NaN
}

}  // namespace mor1e::backend
