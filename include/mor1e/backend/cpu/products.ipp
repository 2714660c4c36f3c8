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
MOR1E_INLINE bool onednn_rounds(cpu_products how) {
  return onednn_uses(how == cpu_products::bf16 ? dnnl_cpu_isa_avx512_core : dnnl_cpu_isa_avx512_core_vnni);
}
#else
MOR1E_INLINE bool onednn_has_tiles() { return false; }
MOR1E_INLINE bool onednn_rounds(cpu_products) { return false; }
#endif

MOR1E_INLINE instructions dot_instructions([[maybe_unused]] cpu_products how) {
#if defined(__x86_64__)
  if (onednn_has_tiles()) return instructions::none;
  if (how == cpu_products::bf16 && __builtin_cpu_supports("avx512bf16")) return instructions::avx512;
  if (how == cpu_products::int8) {
    if (__builtin_cpu_supports("avx512vnni")) return instructions::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return instructions::avx2;
  }
#endif
  return instructions::none;
}

}  // namespace detail

MOR1E_INLINE std::string products_problem(cpu_products how) {
  using namespace detail;
  if (how == cpu_products::fp32 || dot_instructions(how) != instructions::none || onednn_rounds(how)) return {};
  return how == cpu_products::bf16 ? "bf16 needs a processor with AVX512-BF16, or AVX-512 and a build with oneDNN"
                                   : "int8 needs a processor with AVX2";
}

MOR1E_INLINE const char* products_name(cpu_products how) {
  if (detail::dot_instructions(how) != detail::instructions::none)
    return how == cpu_products::bf16 ? "mor1e bf16" : "mor1e int8";
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
  return detail::dot_instructions(cpu_products::bf16) == detail::instructions::avx512 && __builtin_cpu_is("amd");
#else
  return false;
#endif
}

}  // namespace mor1e::backend
