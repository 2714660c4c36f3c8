// Definitions of cpu/frozen.hpp.
#pragma once

#include "mor1e/backend/cpu/frozen.hpp"
#include "mor1e/backend/cpu/products.hpp"
#include "mor1e/backend/cpu/rounded/avx2_block.hpp"
#include "mor1e/backend/cpu/rounded/avx512_block.hpp"
#include "mor1e/backend/cpu/rounded/dot_weight.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn/rounded_weight.hpp"
#endif

namespace mor1e::backend {

namespace detail {
template <class Operands>
std::unique_ptr<const packed_weight> rounded(cpu& device, [[maybe_unused]] transpose tw,
                                             [[maybe_unused]] const host_frozen<float>& w) {
#if defined(__x86_64__)
  switch (dot_instructions(device.products())) {
    case instructions::avx512: return std::make_unique<dot_weight<avx512_block<Operands>>>(device, tw, w);
    case instructions::avx2: return std::make_unique<dot_weight<avx2_block>>(device, tw, w);
    case instructions::none: break;
  }
#endif
#ifdef MOR1E_ONEDNN
  return std::make_unique<onednn::rounded_weight<Operands>>(device, tw, w);
#else
  throw error(products_problem(device.products()));
#endif
}
}  // namespace detail

MOR1E_INLINE std::unique_ptr<const packed_weight> pack_weight(cpu& device, transpose tw, const host_frozen<float>& w) {
  switch (device.products()) {
    case cpu_products::bf16: return detail::rounded<detail::bf16_operands>(device, tw, w);
    case cpu_products::int8: return detail::rounded<detail::int8_operands>(device, tw, w);
    case cpu_products::fp32: break;
  }
  throw error("no product but that of bf16 or int8 packs a weight");
}

}  // namespace mor1e::backend
