// Definitions of cpu/products.hpp.
#pragma once

#ifdef MOR1E_ONEDNN
#include <dnnl.h>
#endif

#include "mor1e/backend/cpu/products.hpp"

namespace mor1e::backend {

namespace detail {

#ifdef MOR1E_ONEDNN
/// Whether oneDNN has code for `isa` here: the processor has it, and ONEDNN_MAX_CPU_ISA does not forbid it.
MOR1E_INLINE bool onednn_uses(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }
MOR1E_INLINE bool onednn_has_tiles() { return onednn_uses(dnnl_cpu_isa_avx512_core_amx); }
#else
MOR1E_INLINE bool onednn_has_tiles() { return false; }
#endif

MOR1E_INLINE bool multiplies_by_dots(cpu_products how) {
#if defined(__x86_64__)
  if (onednn_has_tiles()) return false;
  if (how == cpu_products::bf16) return __builtin_cpu_supports("avx512bf16");
  if (how == cpu_products::int8) return __builtin_cpu_supports("avx512vnni");
#endif
  return false;
}

}  // namespace detail

MOR1E_INLINE std::string products_problem(cpu_products how) {
  if (how == cpu_products::fp32 || detail::multiplies_by_dots(how)) return {};
#ifdef MOR1E_ONEDNN
  const bool bf16 = how == cpu_products::bf16;
  if (detail::onednn_uses(bf16 ? dnnl_cpu_isa_avx512_core : dnnl_cpu_isa_avx512_core_vnni)) return {};
  return bf16 ? "bf16 needs a processor with AVX-512" : "int8 needs a processor with AVX512-VNNI";
#else
  return how == cpu_products::bf16 ? "bf16 needs a processor with AVX512-BF16, or AVX-512 and a build with oneDNN"
                                   : "int8 needs a processor with AVX512-VNNI";
#endif
}

MOR1E_INLINE const char* products_name(cpu_products how) {
  if (detail::multiplies_by_dots(how)) return how == cpu_products::bf16 ? "mor1e bf16" : "mor1e int8";
#ifdef MOR1E_ONEDNN
  const char* const names[] = {"onednn", "onednn bf16", "onednn int8"};
  return names[int(how)];
#else
  return "eigen";
#endif
}

MOR1E_INLINE bool bf16_is_fast() {
  if (detail::onednn_has_tiles()) return true;
#if defined(__x86_64__)
  return detail::multiplies_by_dots(cpu_products::bf16) && __builtin_cpu_is("amd");
#else
  return false;
#endif
}

}  // namespace mor1e::backend
