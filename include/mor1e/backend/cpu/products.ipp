// Definitions of cpu/products.hpp.
#pragma once

#ifdef MOR1E_ONEDNN
#include <dnnl.h>
#endif

#include "mor1e/backend/cpu/products.hpp"

namespace mor1e::backend {

#ifdef MOR1E_ONEDNN
namespace detail {
/// Whether oneDNN has code for `isa` here: the processor has it, and ONEDNN_MAX_CPU_ISA does not forbid it.
MOR1E_INLINE bool onednn_uses(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }
}  // namespace detail

MOR1E_INLINE std::string products_problem(cpu_products how) {
  if (how == cpu_products::bf16 && !detail::onednn_uses(dnnl_cpu_isa_avx512_core))
    return "bf16 needs a processor with AVX-512";
  if (how == cpu_products::int8 && !detail::onednn_uses(dnnl_cpu_isa_avx512_core_vnni))
    return "int8 needs a processor with AVX512-VNNI";
  return {};
}

MOR1E_INLINE const char* products_name(cpu_products how) {
  const char* const names[] = {"onednn", "onednn bf16", "onednn int8"};
  return names[int(how)];
}

MOR1E_INLINE bool bf16_is_fast() {
  if (detail::onednn_uses(dnnl_cpu_isa_avx512_core_amx)) return true;
#if defined(__x86_64__)
  return detail::onednn_uses(dnnl_cpu_isa_avx512_core_bf16) && __builtin_cpu_is("amd");
#else
  return false;
#endif
}
#else
MOR1E_INLINE std::string products_problem(cpu_products how) {
  return how == cpu_products::fp32 ? "" : "this build is without oneDNN, which bf16 and int8 need";
}

MOR1E_INLINE const char* products_name(cpu_products) { return "eigen"; }

MOR1E_INLINE bool bf16_is_fast() { return false; }
#endif

}  // namespace mor1e::backend
