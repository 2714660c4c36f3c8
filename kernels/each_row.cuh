// Kernels that read a row, reduce it and read it again: a warp has a short row, four warps or sixteen a longer one.
//
// A body says what is done with row i:
//   template <int Warps, int N> __device__ void row(const row_threads<Warps, N>& threads, index_t i) const;
#pragma once

#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

/// The threads that share a row, and which of its elements each has: every 32 Warps-th pack. The first of them are held
/// in registers between two passes over the row; only what exceeds them is read again.
template <int Warps, int N>
struct row_threads {
  static constexpr int count = 32 * Warps;
  static constexpr int held = 4;  ///< packs of a thread
  int thread;
  column_units columns;

  /// What a thread has of a row of x.
  template <class T>
  struct part {
    const T* from;
    pack<T, N> packs[held];

    /// The pack that `each` numbers k, at column j.
    template <int M>
    __device__ pack<T, M> at(int k, index_t j) const {
      if (k < 0) return load<M>(from + j);
      if constexpr (M == N)
        return packs[k];
      else
        return {{packs[k].at[0]}};
    }
  };

  /// f(width, k, j) for each pack of `width` elements from column j on; k is negative for one that is not held.
  template <class F>
  __device__ void each(const F& f) const {
    const index_t units = columns.template count<N>();
    const auto visit = [&](index_t u, int k) {
      if (u < columns.packs)
        f(width_of<N>(), k, u * N);
      else if (u < units)
        f(width_of<1>(), k, columns.packs * N + (u - columns.packs));
    };
#pragma unroll
    for (int k = 0; k < held; ++k) visit(thread + k * count, k);
      // Not unrolled: it would take the registers that hold the row.
#pragma unroll 1
    for (index_t u = thread + held * count; u < units; u += count) visit(u, -1);
  }

  template <class T>
  __device__ part<T> hold(device_view<const T> x, index_t i) const {
    part<T> out;
    out.from = x.address() + i * x.stride;
    const index_t units = columns.template count<N>();
#pragma unroll
    for (int k = 0; k < held; ++k) {
      const index_t u = thread + k * count;
      if (u < columns.packs)
        out.packs[k] = load<N>(out.from + u * N);
      else if (u < units)
        out.packs[k].at[0] = out.from[columns.packs * N + (u - columns.packs)];
    }
    return out;
  }

  /// The sum over all elements, in every thread: f(width, k, j, total) adds those of a pack.
  template <class T, class F>
  __device__ T sum(const F& f) const {
    T total = 0;
    each([&](auto width, int k, index_t j) { f(width, k, j, total); });
    return combine_block<sum_to<T, T>, Warps>(total);
  }
  /// The sum of the products of two rows, in every thread.
  template <class T, class P, class Q>
  __device__ T dot(const P& p, const Q& q) const {
    return sum<T>([&](auto width, int k, index_t j, T& total) {
      const auto v = p.template at<width>(k, j), w = q.template at<width>(k, j);
      for (int e = 0; e < width; ++e) total += v.at[e] * w.at[e];
    });
  }
};

/// Threads of a block: of four warps, which share one row or have one each, or of the sixteen of a long row.
template <int Warps>
inline constexpr int row_block = 32 * (Warps < 4 ? 4 : Warps);

// With four blocks of four warps, or one of sixteen, there are 128 registers a thread: what is held fits.
template <int Warps, int N, class Body>
__global__ void __launch_bounds__(row_block<Warps>, Warps < 16 ? 4 : 1)
    each_row_kernel(index_t rows, column_units columns, Body body) {
  constexpr int at_once = row_block<Warps> / (32 * Warps);
  const row_threads<Warps, N> threads{int(Warps == 1 ? threadIdx.x : threadIdx.y * 32 + threadIdx.x), columns};
  for (index_t i = blockIdx.x * index_t(at_once) + (Warps == 1 ? threadIdx.y : 0); i < rows;
       i += gridDim.x * index_t(at_once))
    body.row(threads, i);
}

/// Runs the body for each row. `aligned`: all rows that it reads and writes may be accessed by packs of N.
template <int N, class Body>
void each_row(launch_target target, const char* name, index_t rows, index_t cols, bool aligned, const Body& body) {
  if (rows == 0 || cols == 0) return;
  const column_units columns = column_units::of<N>(cols, aligned);
  const index_t units = columns.count<N>(), most = index_t(target.multiprocessors) * 64;
  const auto blocks = [&](index_t at_once) { return unsigned(std::min((rows + at_once - 1) / at_once, most)); };
  if (units <= row_threads<1, N>::count * row_threads<1, N>::held)
    each_row_kernel<1, N><<<blocks(4), dim3(32, 4), 0, target.stream>>>(rows, columns, body);
  else if (units <= row_threads<4, N>::count * row_threads<4, N>::held)
    each_row_kernel<4, N><<<blocks(1), dim3(32, 4), 0, target.stream>>>(rows, columns, body);
  else
    each_row_kernel<16, N><<<blocks(1), dim3(32, 16), 0, target.stream>>>(rows, columns, body);
  check_launch(name);
}

}  // namespace mor1e::backend::kernels
