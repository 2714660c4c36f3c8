// The products inside attention on tensor cores: operands rounded to bf16, sums in fp32.
#pragma once

#include <cstdint>
#include <cuda_bf16.h>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend::kernels::detail {

/// d += a b for fragments of [16, 16] and [16, 8] matrices
__device__ inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four matrices of [8, 8] from shared memory; lane l names row l % 8 of matrix l / 8. Transposed: their columns go to
/// where rows would.
template <bool Transposed>
__device__ void load_fragments(std::uint32_t (&to)[4], const __nv_bfloat16* row) {
  const auto at = std::uint32_t(__cvta_generic_to_shared(row));
  if constexpr (Transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
}

__device__ inline std::uint32_t bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

/// A tile of 64 rows against blocks of 8 Tiles columns, Dim long: 16 rows a warp. A thread has what the fragments of
/// its lane hold: two rows, and in each pairs of columns 8 apart. Scores go from the result of one product into the
/// operand of the next without leaving the registers.
template <int Dim, int Tiles>
struct tensor_core_tile {
  static_assert(Dim % 16 == 0 && Tiles % 2 == 0);
  using element = __nv_bfloat16;
  static constexpr int threads = 128, dim = Dim, size = 64, block = 8 * Tiles;
  static constexpr int rows = 2, columns = 2 * Tiles, sums = Dim / 4;
  static constexpr int sharing = 4;
  /// The eight behind a row put rows that `load_fragments` reads at a time into different banks.
  static constexpr int stride = Dim + 8;
  static constexpr int score_floats = 0;

  static __device__ int lane() { return int(threadIdx.x) % 32; }
  static __device__ int warp_row() { return int(threadIdx.x) / 32 * 16; }
  static __device__ int row(int i) { return warp_row() + lane() / 4 + 8 * i; }
  static __device__ int column(int j) { return j / 2 * 8 + lane() % 4 * 2 + j % 2; }
  static __device__ int sum_column(int u) { return column(u); }

  template <class F>
  static __device__ void load_rows(element* to, int count, int head_dim, bool vectors, const F& row) {
    for (int e = threadIdx.x; e < count * (Dim / 4); e += threads) {
      const int i = e / (Dim / 4), c = e % (Dim / 4) * 4;
      const float* from = row(i);
      float4 x{0, 0, 0, 0};
      if (from && vectors && c < head_dim) {
        x = *reinterpret_cast<const float4*>(from + c);
      } else if (from) {
        x.x = c < head_dim ? from[c] : 0.0f;
        x.y = c + 1 < head_dim ? from[c + 1] : 0.0f;
        x.z = c + 2 < head_dim ? from[c + 2] : 0.0f;
        x.w = c + 3 < head_dim ? from[c + 3] : 0.0f;
      }
      *reinterpret_cast<uint2*>(to + i * stride + c) = uint2{bf16_pair(x.x, x.y), bf16_pair(x.z, x.w)};
    }
  }
  static __device__ void copied() {}

  static __device__ void row_products(const element* a, const element* b, float (&s)[rows][columns]) {
    float d[Tiles][4] = {};
    a += (warp_row() + lane() % 16) * stride + lane() / 16 * 8;
    b += (lane() / 16 * 8 + lane() % 8) * stride + lane() / 8 % 2 * 8;
#pragma unroll 4
    for (int k = 0; k < Dim; k += 16) {
      std::uint32_t x[4], y[4];
      load_fragments<false>(x, a + k);
#pragma unroll
      for (int t = 0; t < Tiles; t += 2) {
        load_fragments<false>(y, b + 8 * t * stride + k);
        multiply_add(d[t], x, y[0], y[1]);
        multiply_add(d[t + 1], x, y[2], y[3]);
      }
    }
#pragma unroll
    for (int t = 0; t < Tiles; ++t)
#pragma unroll
      for (int e = 0; e < 4; ++e) s[e / 2][2 * t + e % 2] = d[t][e];
  }

  static __device__ void store_scores(const float (&)[rows][columns], float*) {}

  static __device__ void add_product(const float (&s)[rows][columns], const float*, const element* b,
                                     float (&sum)[rows][sums]) {
    b += lane() % 16 * stride + lane() / 16 * 8;
#pragma unroll
    for (int k = 0; k < block; k += 16) {
      const int j = k / 4;  // of the scores: 4 a thread in 16 columns
      const std::uint32_t x[4] = {bf16_pair(s[0][j], s[0][j + 1]), bf16_pair(s[1][j], s[1][j + 1]),
                                  bf16_pair(s[0][j + 2], s[0][j + 3]), bf16_pair(s[1][j + 2], s[1][j + 3])};
#pragma unroll
      for (int d = 0; d < Dim; d += 16) {
        std::uint32_t y[4];
        load_fragments<true>(y, b + k * stride + d);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int u = d / 4 + 2 * half;
          float part[4] = {sum[0][u], sum[0][u + 1], sum[1][u], sum[1][u + 1]};
          multiply_add(part, x, y[2 * half], y[2 * half + 1]);
          sum[0][u] = part[0], sum[0][u + 1] = part[1], sum[1][u] = part[2], sum[1][u + 1] = part[3];
        }
      }
    }
  }
};

}  // namespace mor1e::backend::kernels::detail
