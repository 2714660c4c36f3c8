// Blocks of products in AVX-512: instructions that multiply 2 bf16 or 4 int8 and add them to a lane.
#pragma once

#if defined(__x86_64__)

#include <cstdint>
#include <cstring>
#include <immintrin.h>

#include "mor1e/backend/cpu/rounded/dot_block.hpp"

namespace mor1e::backend::detail {

// What is in between is compiled for these processors, whatever the rest of the program is compiled for.
#define MOR1E_DOT_TARGET gnu::target("avx512f,avx512vnni,avx512bf16")

using float_lanes [[gnu::vector_size(64)]] = float;
using int_lanes [[gnu::vector_size(64)]] = std::int32_t;

[[MOR1E_DOT_TARGET, gnu::always_inline]] inline float_lanes as_float(int_lanes x) {
  return __builtin_convertvector(x, float_lanes);
}
[[MOR1E_DOT_TARGET, gnu::always_inline]] inline float_lanes as_float(float_lanes x) { return x; }

/// Sums of a register, and how the products of one lane of x with those of w come to them.
template <class Operands>
struct dot_lane;
template <>
struct dot_lane<int8_operands> {
  using sums = int_lanes;
  static constexpr int terms = 4;
  [[MOR1E_DOT_TARGET, gnu::always_inline]] static inline sums add(sums to, std::int32_t x, int_lanes w) {
    return (sums)_mm512_dpbusd_epi32((__m512i)to, _mm512_set1_epi32(x), (__m512i)w);
  }
};
template <>
struct dot_lane<bf16_operands> {
  using sums = float_lanes;
  static constexpr int terms = 2;
  [[MOR1E_DOT_TARGET, gnu::always_inline]] static inline sums add(sums to, std::int32_t x, int_lanes w) {
    return (sums)_mm512_dpbf16_ps((__m512)to, (__m512bh)_mm512_set1_epi32(x), (__m512bh)w);
  }
};

template <class Operands>
struct avx512_block {
  using operands = Operands;
  using lane = dot_lane<Operands>;
  /// Two registers of columns and eight rows: sixteen sums, so that none waits for the one before.
  static constexpr int lanes = 16, cols = 2 * lanes, rows = 8, terms = lane::terms;

  template <int Rows>
  [[gnu::noinline, MOR1E_DOT_TARGET]] static void run(const rounded_input<Operands>& x, index_t first,
                                                      const dot_panel<avx512_block>& w, float (*to)[cols]) {
    const typename Operands::weight* values = w.values;
    for (index_t part = 0; part < x.terms().count(); ++part) {
      typename lane::sums sums[Rows][2];
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p) std::memcpy(&sums[i][p], w.offsets + part * cols + p * lanes, sizeof(int_lanes));
      const index_t length = x.terms().length(part);
      const auto* from = x.row(part, first);
      for (index_t k = 0; k < length; k += terms, values += cols * terms) {
        int_lanes columns[2];
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p) std::memcpy(&columns[p], values + p * lanes * terms, sizeof(int_lanes));
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i) {
          std::int32_t one;
          std::memcpy(&one, from + i * length + k, sizeof one);
#pragma GCC unroll 2
          for (int p = 0; p < 2; ++p) sums[i][p] = lane::add(sums[i][p], one, columns[p]);
        }
      }
      const float* const scales = x.scales(part) + first;
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int p = 0; p < 2; ++p) {
          float_lanes all = {};
          if (part > 0) std::memcpy(&all, to[i] + p * lanes, sizeof all);
          // Fused by name: a compiler may do so for some numbers of rows and not for others.
          all = (float_lanes)_mm512_fmadd_ps(_mm512_set1_ps(scales[i]), (__m512)as_float(sums[i][p]), (__m512)all);
          std::memcpy(to[i] + p * lanes, &all, sizeof all);
        }
    }
  }
};

#undef MOR1E_DOT_TARGET

}  // namespace mor1e::backend::detail

#endif
