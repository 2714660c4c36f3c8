// How a CPU multiplies matrices: who does it, and in how many bits the frozen weights of linears take part.
#pragma once

#include <string>

#include "mor1e/core/config.hpp"

namespace mor1e::backend {

/// How x W^T and dy W are computed for the frozen weight W of a linear; sums are exact or of fp32 in all three, and all
/// other products are fp32.
/// - fp32: as written
/// - bf16: W and what it multiplies are rounded to bf16, relative error of a term 2^-8. Fast where `bf16_is_fast`.
/// - int8: each row of W, and each row of x in parts of about 192 columns, is rounded to 255 steps between its largest
///   magnitudes; for dy W the scales of W's rows are multiplied into dy before it is rounded. Needs AVX2; four
///   times the rate of fp32 with AVX512-VNNI, 1.6 times with AVX2.
/// bf16 and int8 hold a second copy of W for each of the two products, made by the first of them. They are multiplied
/// by kernels of ours where the processor has instructions for it and no tiles (cpu/rounded), else by oneDNN.
enum class cpu_products { fp32, bf16, int8 };

/// Why this build or this processor does not compute products so; empty if it does.
std::string products_problem(cpu_products how);

/// Who multiplies: "eigen", or "onednn" in a build with MOR1E_ONEDNN, or "mor1e"; with how, unless that is fp32.
const char* products_name(cpu_products how);

/// Whether products in bf16 are faster than those in fp32: with AMX, and with AVX512-BF16 on a processor of AMD, which
/// multiplies twice as many terms at a time so. Intel's do half as many, and others convert first.
bool bf16_is_fast();

namespace detail {
/// With which instructions the kernels of cpu/rounded do these products here, if they do.
enum class instructions { none, avx2, avx512 };
instructions dot_instructions(cpu_products how);
/// Whether oneDNN can do them here.
bool onednn_rounds(cpu_products how);
}  // namespace detail

}  // namespace mor1e::backend

#ifndef MOR1E_COMPILED
#include "mor1e/backend/cpu/products.ipp"
#endif
