// Reductions of a matrix: of all elements, of each column and of each row, in an order that the shape alone decides.
//
// A term says what is reduced, and derives from what becomes of the result, which says
//   using value = ...;                                   of the sum, or whatever is combined
//   using result = ...;                                  itself
//   static __device__ value identity();
//   static __device__ value combine(value a, value b);   in either order the same
//   __device__ void finish(index_t k, value v) const;    of column or row k, or 0
// while the term adds
//   template <int N> __device__ pack<value, N> at(index_t i, index_t j) const;
// Four blocks a multiprocessor leave 64 registers a thread: loads in flight count for more than threads here, and with
// no such bound the assembler spills to reach more threads.
#pragma once

#include <cooperative_groups.h>

#include "mor1e/backend/cuda/reduction.hpp"
#include "mor1e/kernels/each_element.cuh"

namespace mor1e::backend::kernels {

/// y_k = alpha times the sum + beta y_k
template <class Value, class T>
struct sum_to {
  using value = Value;
  using result = sum_to;
  T* y;
  T alpha, beta;

  static __device__ value identity() { return value(0); }
  static __device__ value combine(value a, value b) { return a + b; }
  __device__ void finish(index_t k, value v) const { y[k] = blend(alpha * T(v), beta, y[k]); }
};

/// The values of the lanes of a warp combined, in every lane.
template <class Term>
__device__ typename Term::value combine_warp(typename Term::value v) {
  const auto warp = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
#pragma unroll
  for (int step = 16; step > 0; step /= 2) v = Term::combine(v, warp.shfl_xor(v, step));
  return v;
}

/// The values of the threads of a block of 32 Warps threads combined, in every thread.
template <class Term, int Warps>
__device__ typename Term::value combine_block(typename Term::value v) {
  using value = typename Term::value;
  v = combine_warp<Term>(v);
  if constexpr (Warps > 1) {
    __shared__ value of_warp[Warps];
    const int thread = threadIdx.y * blockDim.x + threadIdx.x;
    __syncthreads();  // of an earlier reduction
    if (thread % 32 == 0) of_warp[thread / 32] = v;
    __syncthreads();
    v = of_warp[0];
#pragma unroll
    for (int w = 1; w < Warps; ++w) v = Term::combine(v, of_warp[w]);
  }
  return v;
}

template <int N, class Term>
__device__ typename Term::value combine_pack(typename Term::value v, const pack<typename Term::value, N>& next) {
#pragma unroll
  for (int k = 0; k < N; ++k) v = Term::combine(v, next.at[k]);
  return v;
}

template <int N, class Term>
__global__ void __launch_bounds__(256, 4)
    reduce_all_kernel(index_t rows, column_units columns, Term term, typename Term::value* parts) {
  typename Term::value v = Term::identity();
  const index_t units = columns.count<N>();
  for (index_t i = blockIdx.y * index_t(blockDim.y) + threadIdx.y; i < rows; i += gridDim.y * index_t(blockDim.y))
    for (index_t u = blockIdx.x * index_t(blockDim.x) + threadIdx.x; u < units; u += gridDim.x * index_t(blockDim.x))
      if (u < columns.packs)
        v = combine_pack<N, Term>(v, term.template at<N>(i, u * N));
      else
        v = combine_pack<1, Term>(v, term.template at<1>(i, columns.packs * N + (u - columns.packs)));
  v = combine_block<Term, 8>(v);
  if (threadIdx.x + threadIdx.y > 0) return;
  if (parts)
    parts[blockIdx.y * gridDim.x + blockIdx.x] = v;
  else
    term.finish(0, v);
}

template <class Result>
__global__ void __launch_bounds__(256, 4)
    reduce_parts_kernel(Result result, const typename Result::value* parts, int count) {
  typename Result::value v = Result::identity();
  for (int k = threadIdx.x; k < count; k += blockDim.x) v = Result::combine(v, parts[k]);
  v = combine_block<Result, 8>(v);
  if (threadIdx.x == 0) result.finish(0, v);
}

/// All elements of a matrix to one value. `parts`: memory for `most_parts` values.
template <int N, class Term>
void reduce_all(launch_target target, const char* name, index_t rows, index_t cols, bool aligned, const Term& term,
                typename Term::value* parts) {
  const column_units columns = column_units::of<N>(cols, aligned);
  const index_t units = columns.count<N>();
  const dim3 block = block_shape(units);
  const index_t wide = std::min<index_t>((units + block.x - 1) / block.x, most_parts);
  // Four packs a thread, so that a small matrix is one launch.
  const index_t worth = (rows * units + 1023) / 1024;
  const index_t high =
      std::min<index_t>({(rows + block.y - 1) / block.y, std::max<index_t>(1, most_parts / std::max<index_t>(1, wide)),
                         std::max<index_t>(1, worth / std::max<index_t>(1, wide))});
  const dim3 grid(unsigned(std::max<index_t>(1, wide)), unsigned(std::max<index_t>(1, high)));
  const int count = int(grid.x * grid.y);
  reduce_all_kernel<N><<<grid, block, 0, target.stream>>>(rows, columns, term, count > 1 ? parts : nullptr);
  if (count > 1) reduce_parts_kernel<typename Term::result><<<1, 256, 0, target.stream>>>(term, parts, count);
  check_launch(name);
}

/// Each block has some columns and a part of the rows.
template <int N, class Term>
__global__ void __launch_bounds__(256, 4)
    reduce_columns_kernel(index_t rows, column_units columns, Term term, typename Term::value* parts) {
  using value = typename Term::value;
  __shared__ pack<value, N> of_thread[256];
  const index_t u = blockIdx.x * index_t(blockDim.x) + threadIdx.x;
  const index_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;
  const bool packed = u < columns.packs, inside = u < columns.count<N>();
  const index_t j = packed ? u * N : columns.packs * N + (u - columns.packs);
  pack<value, N> v;
#pragma unroll
  for (int k = 0; k < N; ++k) v.at[k] = Term::identity();
  if (packed) {
    for (index_t i = begin + threadIdx.y; i < end; i += blockDim.y) {
      const pack<value, N> next = term.template at<N>(i, j);
#pragma unroll
      for (int k = 0; k < N; ++k) v.at[k] = Term::combine(v.at[k], next.at[k]);
    }
  } else if (inside) {
    for (index_t i = begin + threadIdx.y; i < end; i += blockDim.y)
      v.at[0] = Term::combine(v.at[0], term.template at<1>(i, j).at[0]);
  }
  of_thread[threadIdx.y * blockDim.x + threadIdx.x] = v;
  __syncthreads();
  if (threadIdx.y > 0 || !inside) return;
  for (unsigned t = 1; t < blockDim.y; ++t)
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = Term::combine(v.at[k], of_thread[t * blockDim.x + threadIdx.x].at[k]);
  if (parts && packed && columns.cols % N == 0) {
    *reinterpret_cast<pack<value, N>*>(parts + blockIdx.y * columns.cols + j) = v;
    return;
  }
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (k > 0 && !packed) break;
    if (parts)
      parts[blockIdx.y * columns.cols + j + k] = v.at[k];
    else
      term.finish(j + k, v.at[k]);
  }
}

template <class Result>
__global__ void __launch_bounds__(256, 4)
    reduce_column_parts_kernel(Result result, const typename Result::value* parts, int count, index_t cols) {
  const index_t j = blockIdx.x * index_t(blockDim.x) + threadIdx.x;
  if (j >= cols) return;
  typename Result::value v = parts[j];
  for (int k = 1; k < count; ++k) v = Result::combine(v, parts[k * cols + j]);
  result.finish(j, v);
}

/// The rows of a matrix to one value a column. `parts`: memory for column_parts(rows, cols) x cols values.
template <int N, class Term>
void reduce_columns(launch_target target, const char* name, index_t rows, index_t cols, bool aligned, const Term& term,
                    typename Term::value* parts) {
  if (cols == 0) return;
  const column_units columns = column_units::of<N>(cols, aligned);
  const index_t units = columns.count<N>();
  const dim3 block = block_shape(units, 32);
  const int count = column_parts(rows, cols);
  reduce_columns_kernel<N>
      <<<dim3(unsigned((units + block.x - 1) / block.x), unsigned(count)), block, 0, target.stream>>>(
          rows, columns, term, count > 1 ? parts : nullptr);
  if (count > 1)
    reduce_column_parts_kernel<typename Term::result>
        <<<unsigned((cols + 255) / 256), 256, 0, target.stream>>>(term, parts, count, cols);
  check_launch(name);
}

/// Each warp or block has a row.
template <int Warps, int N, class Term>
__global__ void __launch_bounds__(256, 4) reduce_rows_kernel(index_t rows, column_units columns, Term term) {
  const index_t units = columns.count<N>();
  const int thread = Warps == 1 ? threadIdx.x : threadIdx.y * 32 + threadIdx.x;
  const index_t at_once = Warps == 1 ? blockDim.y : 1;
  for (index_t i = blockIdx.x * at_once + (Warps == 1 ? threadIdx.y : 0); i < rows; i += gridDim.x * at_once) {
    typename Term::value v = Term::identity();
    for (index_t u = thread; u < units; u += Warps * 32)
      if (u < columns.packs)
        v = combine_pack<N, Term>(v, term.template at<N>(i, u * N));
      else
        v = combine_pack<1, Term>(v, term.template at<1>(i, columns.packs * N + (u - columns.packs)));
    v = combine_block<Term, Warps>(v);
    if (thread == 0) term.finish(i, v);
  }
}

/// The columns of a matrix to one value a row.
template <int N, class Term>
void reduce_rows(launch_target target, const char* name, index_t rows, index_t cols, bool aligned, const Term& term) {
  if (rows == 0) return;
  const column_units columns = column_units::of<N>(cols, aligned);
  const dim3 block(32, 8);
  const index_t most = index_t(target.multiprocessors) * 32;
  if (columns.count<N>() <= warp_units)
    reduce_rows_kernel<1, N>
        <<<unsigned(std::min((rows + 7) / 8, most)), block, 0, target.stream>>>(rows, columns, term);
  else
    reduce_rows_kernel<8, N><<<unsigned(std::min(rows, most)), block, 0, target.stream>>>(rows, columns, term);
  check_launch(name);
}

}  // namespace mor1e::backend::kernels
