// Blocks of products in AVX2: int8 widened to 16 bits in registers, an instruction that multiplies two of them and adds
// the products, and one that adds these to a lane. The sums are those of AVX-512 to the bit.
#pragma once

#if defined(__x86_64__)

#include <cstdint>
#include <cstring>
#include <immintrin.h>

#include "mor1e/backend/cpu/rounded/dot_block.hpp"

namespace mor1e::backend::detail {

/// int8_operands with an input that is stored in 16 bits, as it is multiplied: signed, so that nothing is to be taken
/// off.
struct wide_int8_operands : int8_operands {
  using input = std::int16_t;
  static constexpr int offset = 0;
};

struct avx2_block {
  using operands = wide_int8_operands;
  /// Two registers of columns and six rows leave four of the sixteen registers for what is multiplied.
  static constexpr int lanes = 8, cols = 2 * lanes, rows = 6, terms = 2;
  /// Not __m256i: GCC 12 would keep half of the sums in memory.
  using sum [[gnu::vector_size(32)]] = std::int32_t;

  template <int Rows>
  [[gnu::noinline, gnu::target("avx2,fma")]] static void run(const rounded_input<operands>& x, index_t first,
                                                             const dot_panel<avx2_block>& w, float (*to)[cols]) {
    const std::int8_t* values = w.values;
    for (index_t part = 0; part < x.terms().count(); ++part) {
      sum sums[Rows][2] = {};
      const index_t length = x.terms().length(part);
      const std::int16_t* from = x.row(part, first);
      for (index_t k = 0; k < length; k += terms, values += cols * terms) {
        __m256i columns[2];
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p)
          columns[p] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(values + p * lanes * terms)));
#pragma GCC unroll 6
        for (int i = 0; i < Rows; ++i) {
          std::int32_t one;
          std::memcpy(&one, from + i * length + k, sizeof one);
#pragma GCC unroll 2
          for (int p = 0; p < 2; ++p) sums[i][p] += (sum)_mm256_madd_epi16(_mm256_set1_epi32(one), columns[p]);
        }
      }
      const float* const scales = x.scales(part) + first;
#pragma GCC unroll 6
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p) {
          float* const all = to[i] + p * lanes;
          const __m256 before = part > 0 ? _mm256_loadu_ps(all) : _mm256_setzero_ps();
          const __m256 of_part = _mm256_cvtepi32_ps((__m256i)sums[i][p]);
          // Fused by name, as in AVX-512.
          _mm256_storeu_ps(all, _mm256_fmadd_ps(_mm256_set1_ps(scales[i]), of_part, before));
        }
    }
  }
};

}  // namespace mor1e::backend::detail

#endif
