// GGUF blocks -> floats.
#pragma once

#include <cstddef>
#include <string_view>

#include "mor1e/core/config.hpp"
#include "mor1e/io/ggml_type.hpp"

namespace mor1e::io {

/// Decodes `count` adjacent elements (a multiple of the type's block: rows are) into floats.
///
/// With d, m the half floats of a block and q its small integers: Q8_0, Q4_0, Q5_0 give d * q (the latter two with q
/// shifted by -8, -16); Q4_1, Q5_1 give d * q + m; Q4_K, Q5_K give (d * s) * q - (d_min * t) with 6-bit s, t for each
/// 32 elements; Q6_K gives (d * s) * q with 8-bit s for each 16. Every product is exact in fp32 and one sum is rounded,
/// so contraction to fused multiply-add changes nothing. Throws `io_error` beginning with `where` and naming the type
/// if it is not one of `ggml_type`.
void dequantise(ggml_type type, const std::byte* source, index_t count, float* out, std::string_view where);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/gguf_dequantise.ipp"
#endif
