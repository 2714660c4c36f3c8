// Definitions of cpu/frozen.hpp.
#pragma once

#include "mor1e/backend/cpu/frozen.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn/rounded_weight.hpp"
#endif

namespace mor1e::backend {

MOR1E_INLINE std::unique_ptr<const packed_weight> pack_weight([[maybe_unused]] cpu& device,
                                                              [[maybe_unused]] transpose tw,
                                                              [[maybe_unused]] const host_frozen<float>& w) {
#ifdef MOR1E_ONEDNN
  using namespace detail::onednn;
  if (device.products() == cpu_products::bf16) return std::make_unique<rounded_weight<bf16_operands>>(device, tw, w);
  if (device.products() == cpu_products::int8) return std::make_unique<rounded_weight<int8_operands>>(device, tw, w);
#endif
  throw error("no product but that of fp32 packs a weight");
}

}  // namespace mor1e::backend
