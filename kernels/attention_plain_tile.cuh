// The products inside attention in fp32.
#pragma once

#include <cuda_pipeline.h>
#include <type_traits>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend::kernels::detail {

/// A tile of 16 R rows against blocks of 16 C columns, Dim long. 256 threads form a grid of 16 by 16: one has R
/// adjacent rows, each 16th column of scores, and Dim / 16 columns of a result, so that the scores of a row stay in
/// half a warp.
template <int Dim, int R, int C>
struct plain_tile {
  using element = float;
  static constexpr int threads = 256, dim = Dim, size = 16 * R, block = 16 * C;
  /// What a thread has of scores and of sums.
  static constexpr int rows = R, columns = C, sums = Dim / 16;
  /// Threads that share a row.
  static constexpr int sharing = 16;
  /// Of a row in shared memory. The four behind it put rows that 8 threads read at a time by float4 into different
  /// banks.
  static constexpr int stride = Dim + 4, score_stride = block + 4;
  static constexpr int score_floats = size * score_stride;

  static __device__ int row(int i) { return int(threadIdx.x) / 16 * R + i; }
  static __device__ int column(int j) { return int(threadIdx.x) % 16 + 16 * j; }
  /// Sums of a thread are runs of neighbours, for wide loads.
  static constexpr int run = sums % 4 == 0 ? 4 : sums % 2 == 0 ? 2 : 1;
  static __device__ int sum_column(int u) { return u / run * 16 * run + int(threadIdx.x) % 16 * run + u % run; }

  /// Rows [0, count): row(i) is where one begins, or null for zeros. Columns from head_dim on are zeros. The copies are
  /// asynchronous: `copied()` waits for those of this thread.
  template <class F>
  static __device__ void load_rows(float* to, int count, int head_dim, bool vectors, const F& row) {
    if (vectors) {
      for (int e = threadIdx.x; e < count * (Dim / 4); e += threads) {
        const int i = e / (Dim / 4), c = e % (Dim / 4) * 4;
        const float* from = row(i);
        float* at = to + i * stride + c;
        if (from && c < head_dim)
          __pipeline_memcpy_async(at, from + c, 16);
        else
          *reinterpret_cast<float4*>(at) = float4{0, 0, 0, 0};
      }
    } else {
      for (int e = threadIdx.x; e < count * Dim; e += threads) {
        const int i = e / Dim, c = e % Dim;
        const float* from = row(i);
        float* at = to + i * stride + c;
        if (from && c < head_dim)
          __pipeline_memcpy_async(at, from + c, 4);
        else
          *at = 0;
      }
    }
    __pipeline_commit();
  }
  static __device__ void copied() { __pipeline_wait_prior(0); }

  /// s_ij = <row(i) of a, row column(j) of b>
  static __device__ void row_products(const float* a, const float* b, float (&s)[R][C]) {
    a += row(0) * stride;
    b += column(0) * stride;
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
      for (int j = 0; j < C; ++j) s[i][j] = 0;
#pragma unroll 2
    for (int d = 0; d < Dim; d += 4) {
      float4 x[R], y[C];
#pragma unroll
      for (int i = 0; i < R; ++i) x[i] = *reinterpret_cast<const float4*>(a + i * stride + d);
#pragma unroll
      for (int j = 0; j < C; ++j) y[j] = *reinterpret_cast<const float4*>(b + 16 * j * stride + d);
#pragma unroll
      for (int i = 0; i < R; ++i)
#pragma unroll
        for (int j = 0; j < C; ++j) s[i][j] += x[i].x * y[j].x + x[i].y * y[j].y + x[i].z * y[j].z + x[i].w * y[j].w;
    }
  }

  /// Scores into shared memory, where `add_product` reads whole rows behind a barrier of the warp.
  static __device__ void store_scores(const float (&s)[R][C], float* to) {
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
      for (int j = 0; j < C; ++j) to[row(i) * score_stride + column(j)] = s[i][j];
  }

  /// sum_iu += sum_k s_ik b_k,sum_column(u), s as it was stored
  static __device__ void add_product(const float (&)[R][C], const float* stored, const float* b,
                                     float (&sum)[R][sums]) {
    stored += row(0) * score_stride;
#pragma unroll 2
    for (int k = 0; k < block; k += 4) {
      float x[R][4];
#pragma unroll
      for (int i = 0; i < R; ++i) {
        const float4 four = *reinterpret_cast<const float4*>(stored + i * score_stride + k);
        x[i][0] = four.x, x[i][1] = four.y, x[i][2] = four.z, x[i][3] = four.w;
      }
#pragma unroll
      for (int l = 0; l < 4; ++l)
#pragma unroll
        for (int u = 0; u < sums; u += run) {
          using pack = std::conditional_t<run == 4, float4, std::conditional_t<run == 2, float2, float>>;
          const pack loaded = *reinterpret_cast<const pack*>(b + (k + l) * stride + sum_column(u));
          const float* y = reinterpret_cast<const float*>(&loaded);
#pragma unroll
          for (int i = 0; i < R; ++i)
#pragma unroll
            for (int w = 0; w < run; ++w) sum[i][u + w] += x[i][l] * y[w];
        }
    }
  }
};

}  // namespace mor1e::backend::kernels::detail
