// A frozen weight in fewer bits, in the order in which one product reads it.
#pragma once

#include "mor1e/backend/cpu/device.hpp"

namespace mor1e::backend {

/// op(W) of a frozen W [out, in], packed for x op(W).
class packed_weight {
 public:
  virtual ~packed_weight() = default;
  /// y = x op(W) + beta y, the operands rounded as the device says
  virtual void multiply(cpu& device, view<const float> x, float beta, view<float> y) const = 0;
};

}  // namespace mor1e::backend
